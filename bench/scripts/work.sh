# Arithmetic, functions, case and parameter expansion in a POSIX shell.
sum=0 round=0
step() {
    case $1 in
        *7*) sum=$(((sum + $1) % 1000003)) ;;
        [0-4]*) sum=$(((sum * 3 + ${#1}) % 1000003)) ;;
        *) sum=$((sum + 1)) ;;
    esac
}
while [ "$round" -lt "$1" ]; do
    i=0
    while [ "$i" -lt 1000 ]; do
        step "$i"
        word=abc-$i-def
        word=${word#*-}
        [ "${word%-*}" = "$i" ] || echo "wrong: $word"
        i=$((i + 1))
    done
    round=$((round + 1))
done
echo "$sum"
