# Runs the statements $1 times, each time in a new database in memory.
round=0
while [ "$round" -lt "$1" ]; do
    sqlite3 -batch :memory: '.read /bench/items.sql' || exit 1
    round=$((round + 1))
done
