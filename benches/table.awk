# table.awk rows.txt results.txt: medians of the results, as style=table (Markdown), style=line (the row `id`), or style=shortfalls
# (the rows that miss their limit).

function trim(text) { gsub(/^ +| +$/, "", text); return text }

FNR == NR {
    if ($0 ~ /^#/ || $0 == "") next
    split($0, field, "|")
    key = trim(field[1]); order[++rows] = key
    title[key] = trim(field[2]); unit[key] = trim(field[4]); limit[key] = trim(field[5])
    split(trim(field[3]), argument, " "); size[key] = argument[3]
    next
}
{
    n = ++count[$1, $2]
    value[$1, $2, n] = $3; cpu[$1, $2, n] = $4
    seen[$2] = 1
}

# The median of those that succeeded; "" when none did.
function median(values, who, key,    i, j, n, list, held) {
    n = 0
    for (i = 1; i <= count[who, key]; i++) if (values[who, key, i] != "nan") list[++n] = values[who, key, i] + 0
    if (n == 0) return ""
    for (i = 2; i <= n; i++) {
        held = list[i]
        for (j = i - 1; j >= 1 && list[j] > held; j--) list[j + 1] = list[j]
        list[j + 1] = held
    }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function show(x, key) {
    if (x == "") return "-"
    if (unit[key] == "B/s") return x * size[key] < 1e8 ? sprintf("%.1f MB/s", x * size[key] / 1e6) : sprintf("%.2f GB/s", x * size[key] / 1e9)
    if (unit[key] == "msg/s" || unit[key] == "deliv/s") return x >= 1e6 ? sprintf("%.2f M/s", x / 1e6) : sprintf("%.0f k/s", x / 1e3)
    if (unit[key] == "B") return sprintf("%.1f KiB", x / 1024)
    return sprintf(x < 100 ? "%.1f µs" : "%.0f µs", x)
}

function show_cpu(x) {
    if (x == "") return "-"
    return x < 10000 ? sprintf("%.0f ns", x) : sprintf("%.1f µs", x / 1000)
}

function verdict(key, ratio,    part) {
    if (limit[key] == "" || ratio == "") return ""
    split(limit[key], part, " ")
    return (part[1] == "<=" ? ratio <= part[2] : ratio >= part[2]) ? "met" : "short"
}

function compute(key) {
    ours = median(value, "ours", key); reference = median(value, "reference", key); bare = median(value, "bare", key)
    ours_cpu = median(cpu, "ours", key); reference_cpu = median(cpu, "reference", key)
    ratio = (ours == "" || reference == "") ? "" : ours / reference
}

END {
    if (style == "line") {
        compute(id)
        printf "%-30s ours %-12s reference %-12s ratio %-7s %-8s %-6s CPU %s / %s%s\n", title[id], show(ours, id), show(reference, id),
            ratio == "" ? "-" : sprintf("%.2f", ratio), limit[id], verdict(id, ratio), show_cpu(ours_cpu), show_cpu(reference_cpu),
            bare == "" ? "" : "  bare " show(bare, id)
        exit
    }
    if (style == "table") {
        print "| work | ours | reference | ratio | limit | CPU, ours | CPU, reference | bare machine |"
        print "|---|---:|---:|---:|---|---:|---:|---:|"
    }
    for (r = 1; r <= rows; r++) {
        key = order[r]
        if (!(key in seen)) continue
        compute(key)
        if (style == "table")
            printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", title[key], show(ours, key), show(reference, key),
                ratio == "" ? "-" : sprintf("%.2f", ratio), limit[key] == "" ? "" : limit[key] (verdict(key, ratio) == "met" ? ", met" : ", **short**"),
                show_cpu(ours_cpu), show_cpu(reference_cpu), show(bare, key)
        else {
            if (ours == "") { printf "no figure: %s\n", title[key]; short++ }
            else if (verdict(key, ratio) == "short") { printf "short of its limit: %s, %.2f instead of %s\n", title[key], ratio, limit[key]; short++ }
            measured++
        }
    }
    if (style == "shortfalls") printf "%d of %d rows fall short\n", short, measured
}
