/* Aligned tables (dp/io/grid.h). Widths follow UAX #11 for the wide blocks in use; no locale is asked. */
#include <dp/io/grid.h>

#include <stdlib.h>

#define MEASURED 200u  /* rows that decide on widths */
#define CELL_MAX 48u   /* columns of one cell */

/* ---- widths ---- */

static const uint32_t zero_wide[][2] = {{0x300, 0x36F}, {0x483, 0x489}, {0x591, 0x5BD}, {0x610, 0x61A}, {0x64B, 0x65F}, {0x93C, 0x93C}, {0x94D, 0x94D},
                                        {0xE31, 0xE31}, {0xE34, 0xE3A}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F}, {0x202A, 0x202E},
                                        {0x2060, 0x2064}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};
static const uint32_t two_wide[][2] = {{0x1100, 0x115F}, {0x231A, 0x231B}, {0x2E80, 0x303E}, {0x3041, 0x33FF}, {0x3400, 0x4DBF}, {0x4E00, 0xA4CF},
                                       {0xA960, 0xA97C}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6},
                                       {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD}};

static bool within(uint32_t c, const uint32_t (*ranges)[2], size_t n) {
    for (size_t i = 0; i < n && ranges[i][0] <= c; i++)
        if (c <= ranges[i][1]) return true;
    return false;
}

/* Next code point; the text is UTF-8, and what is not counts byte by byte. */
static size_t next_char(struct dp_str s, size_t i, uint32_t *c) {
    uint8_t b = (uint8_t)s.p[i];
    size_t n = b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    if (n == 1 || i + n > s.n) return *c = b, (size_t)1;
    *c = b & (0xFFu >> (n + 1));
    for (size_t k = 1; k < n; k++) *c = *c << 6 | ((uint8_t)s.p[i + k] & 0x3F);
    return n;
}

static bool is_control(uint32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069); }

/* A control character as the table shows it; returns the width. */
static size_t show_control(uint32_t c, struct dp_buf *out) {
    size_t at = out->n;
    if (c == '\n') dp_buf_addz(out, "\\n");
    else if (c == '\t') dp_buf_addz(out, "\\t");
    else if (c == '\r') dp_buf_addz(out, "\\r");
    else dp_buf_addf(out, "\\u%04x", c);
    return out->n - at;
}

/* The cell as shown, at most `most` columns, behind out's content; returns its width. */
static size_t show(struct dp_str s, size_t most, struct dp_buf *out) {
    size_t width = 0, fits_n = out->n, fits_width = 0;
    for (size_t i = 0; i < s.n;) {
        uint32_t c;
        size_t n = next_char(s, i, &c), w;
        if (is_control(c)) {
            w = show_control(c, out);
        } else {
            w = within(c, zero_wide, sizeof zero_wide / sizeof *zero_wide) ? 0 : within(c, two_wide, sizeof two_wide / sizeof *two_wide) ? 2 : 1;
            dp_buf_add(out, s.p + i, n);
        }
        if (width + w > most) { /* cut back to where the mark fits */
            out->n = fits_n;
            dp_buf_addz(out, "\xE2\x80\xA6");
            return fits_width + 1;
        }
        width += w;
        if (width <= most - 1) fits_n = out->n, fits_width = width;
        i += n;
    }
    return width;
}

size_t dp_grid_width(struct dp_str text) {
    struct dp_buf b = {0};
    size_t w = show(text, SIZE_MAX, &b);
    dp_buf_release(&b);
    return w;
}

/* ---- the table ---- */

struct column {
    size_t width;
    bool right;
};

struct cell {
    size_t at, n, width;
};

struct dp_grid {
    struct column *columns;
    size_t n_columns, cap_columns;
    struct cell *cells; /* rows not printed yet; the header is the first */
    size_t n_cells, cap_cells;
    struct dp_buf text;
    bool settled;       /* widths are decided, the header is out */
    size_t line;        /* of rows without a head: what they fit in */
};

struct dp_grid *dp_grid_open(void) { return dp_calloc(1, sizeof(struct dp_grid)); }

void dp_grid_close(struct dp_grid *g) {
    if (!g) return;
    free(g->columns);
    free(g->cells);
    dp_buf_release(&g->text);
    free(g);
}

bool dp_grid_has_columns(const struct dp_grid *g) { return g->n_columns > 0; }

void dp_grid_cell(struct dp_grid *g, struct dp_str text) {
    g->cells = dp_grow(g->cells, &g->cap_cells, g->n_cells + 1, sizeof *g->cells);
    struct cell *c = &g->cells[g->n_cells++];
    c->at = g->text.n;
    c->width = show(text, g->line ? g->line : CELL_MAX, &g->text);
    c->n = g->text.n - c->at;
}

void dp_grid_column(struct dp_grid *g, struct dp_str name, bool right) {
    g->columns = dp_grow(g->columns, &g->cap_columns, g->n_columns + 1, sizeof *g->columns);
    g->columns[g->n_columns++] = (struct column){.right = right};
    dp_grid_cell(g, name);
}

void dp_grid_rows(struct dp_grid *g, size_t n_columns, size_t line) {
    g->columns = dp_grow(g->columns, &g->cap_columns, n_columns, sizeof *g->columns);
    for (size_t i = 0; i < n_columns; i++) g->columns[i] = (struct column){0};
    g->n_columns = n_columns;
    g->line = line;
}

static void pad(struct dp_buf *out, size_t n, char c) {
    memset(dp_buf_reserve(out, n + 1), c, n);
    out->n += n;
}

/* The widest gives way, of two the later, until all fit or each has one column left. */
static void fit(struct dp_grid *g) {
    size_t sum = 2 * (g->n_columns - 1);
    for (size_t i = 0; i < g->n_columns; i++) sum += g->columns[i].width;
    for (; sum > g->line; sum--) {
        struct column *widest = g->columns;
        for (size_t i = 1; i < g->n_columns; i++)
            if (g->columns[i].width >= widest->width) widest = &g->columns[i];
        if (widest->width <= 1) return;
        widest->width--;
    }
}

/* A row of a table without a head: cells that are too wide are cut, and nothing stands behind the last. */
static void print_fitted(const struct dp_grid *g, const struct cell *row, struct dp_buf *out) {
    size_t gap = 0;
    for (size_t i = 0; i < g->n_columns; i++) {
        size_t width = row[i].width;
        if (width) {
            pad(out, gap, ' ');
            gap = 0;
            if (width > g->columns[i].width) width = show(dp_str(g->text.p + row[i].at, row[i].n), g->columns[i].width, out);
            else dp_buf_add(out, g->text.p + row[i].at, row[i].n);
        }
        gap += g->columns[i].width - width + 2;
    }
    dp_buf_addc(out, '\n');
}

static void print_row(const struct dp_grid *g, const struct cell *row, struct dp_buf *out) {
    for (size_t i = 0; i < g->n_columns; i++) {
        size_t gap = g->columns[i].width > row[i].width ? g->columns[i].width - row[i].width : 0;
        if (i) dp_buf_addz(out, "  ");
        if (g->columns[i].right) pad(out, gap, ' ');
        dp_buf_add(out, g->text.p + row[i].at, row[i].n);
        if (!g->columns[i].right && i + 1 < g->n_columns) pad(out, gap, ' ');
    }
    dp_buf_addc(out, '\n');
}

void dp_grid_print(struct dp_grid *g, bool all, struct dp_buf *out) {
    if (!g->n_columns) return;
    size_t rows = g->n_cells / g->n_columns, from = 0;
    if (!g->settled) {
        if (!all && rows < MEASURED + 1) return;
        for (size_t i = 0; i < rows * g->n_columns; i++) {
            struct column *c = &g->columns[i % g->n_columns];
            if (g->cells[i].width > c->width) c->width = g->cells[i].width;
        }
        if (g->line) fit(g);
    }
    if (!g->settled && !g->line) {
        print_row(g, g->cells, out);
        for (size_t i = 0; i < g->n_columns; i++) {
            if (i) dp_buf_addz(out, "  ");
            pad(out, g->columns[i].width, '-');
        }
        dp_buf_addc(out, '\n');
        from = 1;
    }
    g->settled = true;
    for (size_t r = from; r < rows; r++) {
        if (g->line) print_fitted(g, &g->cells[r * g->n_columns], out);
        else print_row(g, &g->cells[r * g->n_columns], out);
    }
    g->n_cells = 0;
    dp_buf_reset(&g->text);
}
