# compatibility.awk report.md: docs/compatibility.md from the report of the judge: what works by area, then every program.

function area_of(program) {
    if (program ~ /curve|plain|security|zap|gssapi|z85/) return "security: CURVE, PLAIN, ZAP, GSSAPI"
    if (program ~ /client_server|radio_dish|scatter_gather|_peer|channel|dgram|poller|hello_msg|disconnect_msg|hiccup_msg|reconnect_options|xpub_manual_last/) {
        if (program ~ /poller/) return "polling, proxy, monitor, timers"
        if (program ~ /hello_msg|disconnect_msg|hiccup_msg|reconnect_options|xpub_manual_last/) return "options and endpoints"
        return "draft sockets: CLIENT, SERVER, RADIO, DISH and others"
    }
    if (program ~ /(^|_)(ws|wss|tipc|vmci|vsock|norm|pgm|udp|socks|mock_pub_sub)(_|$)/) return "transports beyond tcp, ipc, inproc"
    if (program ~ /poll|proxy|monitor|timers|ppoll/) return "polling, proxy, monitor, timers"
    if (program ~ /fuzz/) return "malformed input"
    if (program ~ /req|rep|router|dealer|pub|sub|pair|push|pull|spec|stream|probe|issue|last_value|manual|invert|mandatory|conflate|immediate|many|hwm|xpub/) return "socket types, patterns"
    if (program ~ /ctx|msg|atomic|capabilities|base85|version|stopwatch|thread|shutdown|term|unbind|fork|heartbeat|iov/) return "contexts, messages, termination"
    return "options and endpoints"
}

# vm: the file of what passed in the machine of `make test-vm`, a program and a case in each line. What skipped itself on this one may have.
BEGIN { FS = " *[|] *"; while (vm != "" && (getline line < vm) > 0) elsewhere[line] = 1 }
$2 == "program" { for (i = 2; i <= NF; i++) if ($i != "") column[$i] = i; next }
/^- / { summary[++summaries] = $0; next }
!column["ours"] || NF < 4 || $2 ~ /^-+$/ { next }
{
    program = $column["program"]; cell = $column["ours"]
    if (!(program in cases)) order[++programs] = program
    cases[program]++
    if (cell ~ /pass/) passed[program]++
    else if (cell ~ /skip|ignored/ && (program " " $column["case"]) in elsewhere) { passed[program]++; there[program]++ }
    else if (cell ~ /ignored/) ignored[program]++
    else if (cell ~ /skip/) skipped[program]++
    else { open[program] = open[program] (open[program] == "" ? "" : ", ") $column["case"]; failed[program]++ }
}
END {
    print "# Compatibility\n\nUpstream's own test programs (4.3.5), compiled unmodified, on this library. Written by scripts/readme.sh from the judge's report; do not edit by hand.\n"
    for (i = 1; i <= summaries; i++) print summary[i]
    for (i = 1; i <= programs; i++) {
        program = order[i]; area = area_of(program)
        if (!(area in total)) areas[++count] = area
        total[area]++; all[area] += cases[program]; good[area] += passed[program]; not_run[area] += ignored[program] + skipped[program]
        whole[area] += (failed[program] == 0 && passed[program] > 0)
    }
    print "\n| area | programs that pass | cases that pass | ignored or skipped by themselves, as on upstream's library |\n|---|---:|---:|---:|"
    for (i = 1; i <= count; i++) {
        a = areas[i]
        printf "| %s | %d of %d | %d of %d | %d |\n", a, whole[a], total[a], good[a], all[a], not_run[a]
        w += whole[a]; t += total[a]; g += good[a]; c += all[a]; n += not_run[a]
    }
    printf "| **all** | %d of %d | %d of %d | %d |\n", w, t, g, c, n
    print "\n| program | cases that pass | those that don't |\n|---|---:|---|"
    for (i = 1; i <= programs; i++) {
        program = order[i]
        note = (ignored[program] ? " (" ignored[program] " ignored)" : "") (skipped[program] ? " (" skipped[program] " skipped)" : "") (there[program] ? " (" there[program] " by `make test-vm`)" : "")
        printf "| %s | %d of %d%s | %s |\n", program, passed[program], cases[program], note, open[program]
    }
}
