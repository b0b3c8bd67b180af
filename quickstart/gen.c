/*
 * Makes the quick start's sample: 50,000 orders as CSV in ten daily files, 200,000 shop events as NDJSON, with
 * the dirt that real data has.  The same bytes on every machine: one linear congruential generator, integers only.
 *
 * usage: gen DIR        writes DIR/orders/orders-2026-03-NN.csv and DIR/events.ndjson, which must not be there
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ORDERS 50000
#define EVENTS 200000
#define DAYS 10

static const char *const countries[] = {"DE", "US", "FR", "GB", "ES", "IT", "NL", "PL", "SE", "NO"};
static const char *const skus[] = {"MUG-01", "TEA-14", "LAMP-7", "CAFÉ-2", "BOWL, blue", "TV 12\"", "RUG-3", "茶-9"};
static const char *const status[] = {"paid", "paid", "paid", "paid", "shipped", "cancelled"};
static const char *const kinds[] = {"view", "view", "view", "view", "search", "add_to_cart", "add_to_cart", "purchase"};
static const char *const devices[] = {"mobile", "mobile", "desktop", "tablet"};

static uint64_t rng_state = 20260301;

static uint32_t rnd(uint32_t below) {
    rng_state = rng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((rng_state >> 33) % below);
}

static void die(const char *what) {
    perror(what);
    exit(3);
}

static FILE *create(const char *path) {
    FILE *f = fopen(path, "wx");
    if (!f) die(path);
    return f;
}

static void finish(FILE *f, const char *path) {
    if (ferror(f) | fclose(f)) die(path);
}

static void csv_cell(FILE *f, const char *s) {
    if (!strpbrk(s, ",\"\n")) {
        fputs(s, f);
        return;
    }
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"') fputc('"', f);
        fputc(*s, f);
    }
    fputc('"', f);
}

/* About one order in 150 is dirty, each in one of ten ways that files from shops really show: six are not of their types, four break a rule. */
static void order(FILE *f, int id, int day, int second) {
    uint32_t dirt = rnd(1500);
    uint32_t customer = 1 + rnd(9000), cents = 99 + rnd(20000), qty = 1 + rnd(5);
    fprintf(f, "%d,", 100000 + id - (dirt == 6 && id)); /* sent twice under one number */
    if (dirt == 0)
        fprintf(f, "2026-02-30T%02d:%02d:%02dZ,", second / 3600, second / 60 % 60, second % 60);
    else
        fprintf(f, "2026-03-%02dT%02d:%02d:%02dZ,", day + 1, second / 3600, second / 60 % 60, second % 60);
    if (dirt == 1) {
        fputs("cut off here\n", f); /* too few cells */
        return;
    }
    fprintf(f, "%" PRIu32 ",", customer);
    if (rnd(50)) fprintf(f, dirt == 7 ? "customer%" PRIu32 "(at)example.com" : "customer%" PRIu32 "@example.com", customer);
    fprintf(f, ",%s,", countries[rnd(10)]);
    if (dirt == 2)
        fputs("GR\xd6SSE-L", f); /* Latin-1 in a UTF-8 file */
    else
        csv_cell(f, skus[rnd(8)]);
    if (dirt == 3)
        fputs(",n/a,", f);
    else
        fprintf(f, ",%" PRIu32 ",", dirt == 8 ? 0 : qty);
    if (dirt == 4)
        fprintf(f, "\"%" PRIu32 ",%02" PRIu32 "\",", cents / 100, cents % 100); /* a comma for the point */
    else
        fprintf(f, "%" PRIu32 ".%02" PRIu32 ",", cents / 100, cents % 100);
    const char *state = status[rnd(6)];
    fputs(dirt == 9 ? "payed" : state, f);
    if (rnd(40) == 0) fputs(",\"please ring\ntwice\"", f); else fputs(",", f);
    if (dirt == 5) fputs(",surplus", f);
    fputc('\n', f);
}

static void orders(const char *dir) {
    char path[4096];
    for (int day = 0; day < DAYS; day++) {
        snprintf(path, sizeof path, "%s/orders/orders-2026-03-%02d.csv", dir, day + 1);
        FILE *f = create(path);
        fputs("order_id,ordered_at,customer_id,email,country,sku,qty,price,status,note\n", f);
        for (int i = 0; i < ORDERS / DAYS; i++)
            order(f, day * (ORDERS / DAYS) + i, day, (int)((int64_t)i * 86400 / (ORDERS / DAYS)));
        finish(f, path);
    }
}

static void event(FILE *f, int i) {
    uint32_t dirt = rnd(5000);
    int64_t ms = (int64_t)i * (DAYS * INT64_C(86400000) / EVENTS) + rnd(4000);
    if (rnd(50) == 0 && ms > 600000) ms -= rnd(600000); /* late by up to ten minutes */
    int day = (int)(ms / 86400000), rest = (int)(ms % 86400000);
    uint32_t cents = 99 + rnd(20000);
    if (dirt == 0) {
        fputs("{\"event_id\":\"e-lost\",\"ts\":\n", f); /* cut by a crash of the sender */
        return;
    }
    fprintf(f, "{\"event_id\":\"e-%08" PRIx32 "%04x\",\"ts\":\"2026-03-%02dT%02d:%02d:%02d.%03dZ\",", rnd(0x7fffffff), (unsigned)i & 0xffff,
            day + 1, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
    if (dirt == 1)
        fputs("\"user_id\":\"unknown\",", f);
    else
        fprintf(f, "\"user_id\":%" PRIu32 ",", 1 + rnd(100000));
    fprintf(f, "\"action\":\"%s\",", kinds[rnd(8)]);
    if (rnd(33) == 0) fputs("\"device\":null,", f); else fprintf(f, "\"device\":\"%s\",", devices[rnd(4)]);
    if (dirt == 2)
        fputs("\"price\":.5,", f); /* not JSON */
    else if (dirt == 3)
        fputs("\"price\":\"9.99 EUR\",", f);
    else
        fprintf(f, "\"price\":%" PRIu32 ".%02" PRIu32 ",", cents / 100, cents % 100);
    if (dirt == 4) fputs("\"$dp\":\"end\",", f); /* nobody forges a mark */
    uint32_t country = rnd(10), degrees = 35 + rnd(30), thousandths = rnd(1000);
    fprintf(f, "\"geo\":{\"country\":\"%s\",\"lat\":%" PRIu32 ".%03" PRIu32 "}}\n", countries[country], degrees, thousandths);
}

int main(int argc, char **argv) {
    char path[4096];
    if (argc != 2) {
        fputs("usage: gen DIR\n", stderr);
        return 2;
    }
    snprintf(path, sizeof path, "%s/orders", argv[1]);
    if (mkdir(path, 0777)) die(path);
    orders(argv[1]);
    snprintf(path, sizeof path, "%s/events.ndjson", argv[1]);
    FILE *f = create(path);
    for (int i = 0; i < EVENTS; i++) event(f, i);
    finish(f, path);
    return 0;
}
