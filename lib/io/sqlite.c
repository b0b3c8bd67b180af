/* SQLite's library (sqlite_priv.h). */
#include "sqlite_priv.h"

#include <dlfcn.h>
#include <string.h>

enum dp_status dp_sqlite_load(struct dp_sqlite *sq, const char *what, struct dp_err *err) {
    const struct {
        const char *name;
        void *where;
    } names[] = {{"sqlite3_open_v2", &sq->open}, {"sqlite3_close", &sq->close}, {"sqlite3_busy_timeout", &sq->busy_timeout}, {"sqlite3_db_config", &sq->config},
                 {"sqlite3_exec", &sq->exec}, {"sqlite3_prepare_v2", &sq->prepare}, {"sqlite3_bind_text", &sq->bind_text},
                 {"sqlite3_bind_int64", &sq->bind_int64}, {"sqlite3_bind_blob", &sq->bind_blob}, {"sqlite3_bind_null", &sq->bind_null},
                 {"sqlite3_busy_handler", &sq->busy_handler}, {"sqlite3_changes", &sq->changes}, {"sqlite3_last_insert_rowid", &sq->last_insert_rowid}, {"sqlite3_get_autocommit", &sq->autocommit},
                 {"sqlite3_step", &sq->step}, {"sqlite3_reset", &sq->reset},
                 {"sqlite3_finalize", &sq->finalize}, {"sqlite3_column_count", &sq->column_count}, {"sqlite3_column_type", &sq->column_type},
                 {"sqlite3_column_bytes", &sq->column_bytes}, {"sqlite3_column_name", &sq->column_name}, {"sqlite3_column_blob", &sq->column_blob},
                 {"sqlite3_column_text", &sq->column_text}, {"sqlite3_column_int64", &sq->column_int64},
                 {"sqlite3_column_double", &sq->column_double}, {"sqlite3_errmsg", &sq->errmsg}};
    sq->lib = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!sq->lib) return dp_err_set(err, DP_UNSUPPORTED, "%s needs libsqlite3.so.0 (package libsqlite3-0), which can't be loaded", what);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *f = dlsym(sq->lib, names[i].name);
        if (!f) return dp_err_set(err, DP_UNSUPPORTED, "libsqlite3.so.0 has no %s", names[i].name);
        memcpy(names[i].where, &f, sizeof f);
    }
    return DP_OK;
}

void dp_sqlite_unload(struct dp_sqlite *sq) {
    if (sq->lib) dlclose(sq->lib);
    sq->lib = NULL;
}
