# Unpacks the file $2 with the program $1, $3 times.
round=0
while [ "$round" -lt "$3" ]; do
    "$1" -dc "$2" | busybox md5sum || exit 1
    round=$((round + 1))
done
