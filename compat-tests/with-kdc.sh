#!/bin/sh
# with-kdc.sh PROGRAM [ARGUMENT]...: runs a program where Kerberos works: with a KDC on the loopback interface, and a key table that has the service
# `zmqtest2` of this host, for both roles, as upstream's test_security_gssapi asks for. Everything lies in the current folder. The KDC ends with the process group.
export KRB5_CONFIG="$PWD/krb5.conf" KRB5_KDC_PROFILE="$PWD/kdc.conf" KRB5RCACHENAME="file2:$PWD/replays"
PATH=$PATH:/usr/sbin:/sbin
cat > "$KRB5_CONFIG" << END
[libdefaults]
 default_realm = REALM.TEST
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 qualify_shortname = ""
[realms]
 REALM.TEST = {
  kdc = 127.0.0.1:18088
 }
[domain_realm]
 $(hostname) = REALM.TEST
END
cat > "$KRB5_KDC_PROFILE" << END
[kdcdefaults]
 kdc_listen = 127.0.0.1:18088
 kdc_tcp_listen = 127.0.0.1:18088
[realms]
 REALM.TEST = {
  database_name = $PWD/database
  key_stash_file = $PWD/stash
 }
END
{
    kdb5_util create -s -r REALM.TEST -P master
    kadmin.local -r REALM.TEST -q "addprinc -randkey zmqtest2/$(hostname)"
    kadmin.local -r REALM.TEST -q "ktadd -norandkey -k $PWD/keys zmqtest2/$(hostname)"
    krb5kdc -n -P "$PWD/pid" &
    # Until it answers, for some seconds.
    tries=0
    until kinit -k -t "$PWD/keys" -c "FILE:$PWD/ticket" "zmqtest2/$(hostname)"; do
        tries=$((tries + 1))
        if [ $tries = 50 ]; then break; fi
        sleep 0.1
    done
} > kdc.log 2>&1
if ! [ -s ticket ]; then
    cat kdc.log >&2
    exit 1
fi
export KRB5_KTNAME="FILE:$PWD/keys" KRB5_CLIENT_KTNAME="FILE:$PWD/keys"
exec "$@"
