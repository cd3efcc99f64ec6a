// Makes the inputs of the real programs, the same bytes everywhere:
//   data text BYTES     words with the frequencies of a natural language
//   data source COUNT   a C file of COUNT functions
//   data sql COUNT      SQL statements over COUNT rows
#include "program.h"

static uint64_t state = 1;

// A small number is likely, as words are in texts.
static unsigned likely(unsigned limit) {
    double unit = (double)next_random(&state) / 2147483648.0;
    return (unsigned)(unit * unit * unit * limit);
}

static void text(unsigned long bytes) {
    static char words[4000][12];
    for (int i = 0; i < 4000; i++) {
        int length = 1 + (int)(next_random(&state) % 4) + (i > 50 ? (int)(next_random(&state) % 6) : 0);
        for (int j = 0; j < length; j++) words[i][j] = "etaoinshrdlucmfwygpbvkqjxz"[likely(26)];
    }
    unsigned long written = 0, column = 0;
    while (written < bytes) {
        int length = next_random(&state) % 12 ? printf("%s", words[likely(4000)]) : printf("%u", next_random(&state) % 10000);
        column += (unsigned long)length + 1;
        putchar(column > 72 ? '\n' : ' ');
        written += (unsigned long)length + 1;
        if (column > 72) column = 0;
    }
}

static void source(unsigned long count) {
    printf("struct item { int key, value; struct item *next; };\n");
    for (unsigned long i = 0; i < count; i++) {
        printf("int work%lu(struct item *list, int limit, unsigned *table)\n{\n", i);
        printf("    int sum = %u, found = 0;\n", next_random(&state) % 1000);
        printf("    for (int i = 0; i < limit; i++) {\n");
        printf("        table[i %% %u] ^= (unsigned)(sum * %u + i) >> %u;\n", 3 + next_random(&state) % 60, next_random(&state) % 999 + 3, next_random(&state) % 31);
        printf("        if (table[i & %u] %% %u == 0) sum += list ? list->value : i;\n", next_random(&state) % 63 + 1, next_random(&state) % 9 + 2);
        printf("        switch (sum & 7) {\n");
        for (int j = 0; j < 6; j++) printf("        case %d: sum = sum %c %u; break;\n", j, "+-*^|"[next_random(&state) % 5], next_random(&state) % 5000 + 1);
        printf("        default: found++;\n        }\n    }\n");
        printf("    while (list && list->key != sum %% %u) list = list->next, found += 2;\n", next_random(&state) % 500 + 10);
        if (i > 0) printf("    if (found > %u) sum += work%lu(list, limit / 2, table);\n", next_random(&state) % 100, (unsigned long)next_random(&state) % i);
        printf("    return sum + found;\n}\n");
    }
}

static void sql(unsigned long count) {
    printf("create table item(id integer primary key, name text, price integer, kind integer);\nbegin;\n");
    for (unsigned long i = 0; i < count; i++) printf("insert into item values(%lu, 'item %u', %u, %u);\n", i, next_random(&state) % 100000, likely(10000), next_random(&state) % 50);
    printf("commit;\ncreate index by_kind on item(kind, price);\n");
    printf("select kind, count(*), sum(price), max(name) from item group by kind order by 3 desc limit 5;\n");
    printf("select count(*) from item a join item b on a.kind = b.kind and a.price = b.price and a.id < b.id;\n");
    printf("update item set price = price * 3 %% 9973 where name like '%%7%%';\n");
    printf("select sum(price), min(name) from item where price between 100 and 5000;\n");
    printf("with recursive n(i) as (select 1 union all select i + 1 from n where i < %lu) select sum(i * i %% 7) from n;\n", count * 10);
}

int main(int argc, char **argv) {
    unsigned long amount = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (argc == 3 && !strcmp(argv[1], "text")) text(amount);
    else if (argc == 3 && !strcmp(argv[1], "source")) source(amount);
    else if (argc == 3 && !strcmp(argv[1], "sql")) sql(amount);
    else return fprintf(stderr, "usage: data text|source|sql AMOUNT\n"), 2;
    return fflush(stdout) ? 1 : 0;
}
