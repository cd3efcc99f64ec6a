"""Objects, dictionaries, strings and numbers in Python."""
import sys

class Account:
    def __init__(self, key):
        self.key, self.total = key, 0

    def add(self, amount):
        self.total = (self.total * 31 + amount) % 1000003
        return self.total

def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

total = 0
for turn in range(int(sys.argv[1])):
    accounts = {f"k{i}": Account(i) for i in range(300)}
    for i in range(3000):
        total += accounts[f"k{i * 7919 % 300}"].add(i + turn)
    total += fib(14) + sum(sorted((i * 7919 + turn) % 1009 for i in range(2000))[::7])
    words = " ".join(str(i * i) for i in range(500)).split()
    total += len({w[::-1] for w in words}) + sum(x * x % 7 for x in range(1000))
    total += pow(12345678901234567890 + turn, 17, 10**30 + 57) % 1009
    total %= 1000003
print(total)
