//! Whom a client accepts, and what either side needs for it.

use super::*;

#[test]
fn who_is_accepted() {
    let plain = self_signed(&[HOST], |_| {});
    let other = self_signed(&[HOST], |_| {});
    let server = server_options(&plain);
    assert_eq!(meet(&client_options(&plain.certificate, HOST), &server), Ok(()));
    assert_eq!(meet(&client_options(&plain.certificate, "SERVER.example"), &server), Ok(()));
    assert_eq!(meet(&client_options(&plain.certificate, ""), &server), Ok(()), "the name isn't looked at");
    assert_eq!(meet(&client_options(&plain.certificate, "other.example"), &server), REFUSED);
    assert_eq!(meet(&client_options(&plain.certificate, "no host name"), &server), REFUSED);
    assert_eq!(meet(&client_options(&other.certificate, HOST), &server), REFUSED);
    assert_eq!(meet(&client_options("", HOST), &server), REFUSED, "nobody is trusted");
    assert_eq!(meet(&client_options("", ""), &server), REFUSED, "nobody is trusted");
    let both = other.certificate + &plain.certificate;
    assert_eq!(meet(&client_options(&both, HOST), &server), Ok(()));
}

#[test]
fn names_and_addresses() {
    let many = self_signed(&["a.example", "*.b.example", "127.0.0.1", "::1"], |_| {});
    let server = server_options(&many);
    for (host, accepted) in [
        ("a.example", true),
        ("x.b.example", true),
        ("x.y.b.example", false),
        ("b.example", false),
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("::1", true),
        ("c.example", false),
    ] {
        let outcome = meet(&client_options(&many.certificate, host), &server);
        assert_eq!(outcome, if accepted { Ok(()) } else { REFUSED }, "{host}");
    }
}

/// As upstream's test does it: a CA's certificate, self-signed, with nothing but a common name.
#[test]
fn a_common_name_stands_in_for_missing_names() {
    let named = |name: &'static str, names: &[&str]| {
        self_signed(names, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
        })
    };
    let old = named("*.old.example", &[]);
    let server = server_options(&old);
    assert_eq!(meet(&client_options(&old.certificate, "x.old.example"), &server), Ok(()));
    assert_eq!(meet(&client_options(&old.certificate, "x.y.old.example"), &server), REFUSED);
    assert_eq!(meet(&client_options(&old.certificate, "new.example"), &server), REFUSED);
    let wide = named("*.example", &[]);
    let server = server_options(&wide);
    assert_eq!(meet(&client_options(&wide.certificate, "x.example"), &server), REFUSED, "too wide");
    let both = named("a.example", &["b.example"]);
    let server = server_options(&both);
    assert_eq!(meet(&client_options(&both.certificate, "b.example"), &server), Ok(()));
    assert_eq!(meet(&client_options(&both.certificate, "a.example"), &server), REFUSED);
}

#[test]
fn too_late_and_too_early() {
    for ca in [false, true] {
        for (from, to, accepted) in [(1975, 2000, false), (2000, 3000, true), (2990, 3000, false)] {
            let identity = self_signed(&[HOST], |params| {
                (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
                if ca {
                    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                }
            });
            let outcome = meet(&client_options(&identity.certificate, HOST), &server_options(&identity));
            assert_eq!(outcome, if accepted { Ok(()) } else { REFUSED }, "{from} to {to}");
        }
    }
}

/// A server's certificate, issued by an authority in the middle.
fn issued(change: impl FnOnce(&mut CertificateParams)) -> (String, Identity) {
    let ca = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let root = CertifiedIssuer::self_signed(ca("root"), KeyPair::generate().unwrap()).unwrap();
    let middle = CertifiedIssuer::signed_by(ca("middle"), KeyPair::generate().unwrap(), &root).unwrap();
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &middle).unwrap();
    let chain = certificate.pem() + &middle.pem();
    (root.pem(), Identity { certificate: chain, key: key.serialize_pem() })
}

#[test]
fn a_chain_leads_to_what_is_trusted() {
    let (root, server) = issued(|_| {});
    let trusting = client_options(&root, HOST);
    assert_eq!(meet(&trusting, &server_options(&server)), Ok(()));
    let (unrelated, _) = issued(|_| {});
    assert_eq!(meet(&client_options(&unrelated, HOST), &server_options(&server)), REFUSED);
    let leaf = server.certificate.split_inclusive("-----END CERTIFICATE-----").next().unwrap().to_owned();
    let without = Identity { certificate: leaf, key: server.key };
    assert_eq!(meet(&trusting, &server_options(&without)), REFUSED, "the middle is missing");
    let (root, client_only) =
        issued(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    assert_eq!(meet(&client_options(&root, HOST), &server_options(&client_only)), REFUSED);
}

#[test]
fn what_a_server_needs() {
    let (mine, other) = (self_signed(&[HOST], |_| {}), self_signed(&[HOST], |_| {}));
    let bind = |certificate: &str, key: &str| {
        let identity = Identity { certificate: certificate.to_owned(), key: key.to_owned() };
        ServerTls::new(&server_options(&identity)).map(|_| ())
    };
    assert_eq!(bind(&mine.certificate, &mine.key), Ok(()));
    let cut = &mine.certificate[..mine.certificate.len() / 2];
    for (certificate, key) in [
        ("", ""),
        ("", &*mine.key),
        (&mine.certificate, ""),
        (&mine.certificate, &other.key),
        (&mine.key, &mine.certificate),
        (cut, &mine.key),
        ("no PEM at all", &mine.key),
        (&mine.certificate, "\0\u{ff}"),
    ] {
        assert_eq!(bind(certificate, key), Err(crate::error::Error::Invalid), "{certificate:.20} {key:.20}");
    }
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&edwards).unwrap();
    assert_eq!(bind(&certificate.pem(), &edwards.serialize_pem()), Ok(()));
}

#[test]
fn what_a_client_may_trust() {
    let connect = |trust: &str| ClientTls::new(&client_options(trust, HOST)).map(|_| ());
    let identity = self_signed(&[HOST], |_| {});
    assert_eq!(connect(""), Ok(()));
    assert_eq!(connect(&identity.certificate), Ok(()));
    for nobody in ["x", &identity.key] {
        assert_eq!(connect(nobody), Ok(()), "{nobody}");
        assert_eq!(meet(&client_options(nobody, HOST), &server_options(&identity)), REFUSED);
    }
    let short = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for wrong in [&identity.certificate[..200], short, &(identity.certificate.clone() + short)] {
        assert_eq!(connect(wrong), Err(crate::error::Error::Invalid), "{wrong}");
    }
    let mut system = client_options("", HOST);
    system.wss_trust_system = true;
    assert!(ClientTls::new(&system).is_ok());
}
