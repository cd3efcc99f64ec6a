# Fields, arrays and regular expressions in awk, over a text.
{
    for (i = 1; i <= NF; i++) count[$i]++
    if ($0 ~ /[0-9][0-9]+ [a-z]*t/) matched++
    length_sum += length($0)
    gsub(/e+/, "E")
    n += split($0, parts, "E")
    line[NR % 100] = substr($0, 5, 20)
}
END {
    for (word in count) if (count[word] > most) most = count[word]
    for (i = 0; i < work * 1000; i++) x = (x * 31 + i) % 65537
    print NR, most, matched, length_sum, n, length(line[7]), x
}
