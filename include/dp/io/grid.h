/*
 * An aligned table for people.  It measures its columns over the first rows, knows wide and combining characters, cuts long cells,
 * and shows control characters as escapes, so that data can't drive a terminal.
 */
#ifndef DP_IO_GRID_H
#define DP_IO_GRID_H

#include <dp/base/buf.h>

struct dp_grid; /* an aligned table */

struct dp_grid *dp_grid_open(void);
void dp_grid_close(struct dp_grid *g); /* NULL is legal */
bool dp_grid_has_columns(const struct dp_grid *g);
void dp_grid_column(struct dp_grid *g, struct dp_str name, bool right); /* before the first cell */
/* In place of columns with names: rows without a head, no wider than `line` (from 1), for which the widest columns give way. */
void dp_grid_rows(struct dp_grid *g, size_t n_columns, size_t line);
/* Cells of a row in order; p == NULL is null. The last one ends the row. */
void dp_grid_cell(struct dp_grid *g, struct dp_str text);
/* Appends what is ready (nothing before enough rows were measured, unless `all`). */
void dp_grid_print(struct dp_grid *g, bool all, struct dp_buf *out);
/* Columns that a terminal needs for this UTF-8 text as the table shows it. */
size_t dp_grid_width(struct dp_str text);

#endif
