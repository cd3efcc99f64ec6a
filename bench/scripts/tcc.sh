# Compiles the same file $1 times with tcc and prints what came out.
round=0
while [ "$round" -lt "$1" ]; do
    tcc -c /bench/source.c -o /tmp/source.o || exit 1
    round=$((round + 1))
done
busybox md5sum </tmp/source.o
busybox rm /tmp/source.o
