/* Every named limit on what input may ask for.  Each has a test at the limit and one past it. */
#ifndef DP_BASE_LIMITS_H
#define DP_BASE_LIMITS_H

#define DP_LIMIT_RECORD (64u << 20)        /* --max-record default: bytes of one record */
#define DP_LIMIT_RECORD_MAX (1u << 30)     /* --max-record may not be set above */
#define DP_LIMIT_DEPTH 512u                /* nesting of a JSON record */
#define DP_LIMIT_KEYS 65536u               /* keys of one JSON object */
#define DP_LIMIT_COLUMNS 10000u            /* leaf columns of a schema or header */
#define DP_LIMIT_SCHEMA_DEPTH 64u          /* nesting of a schema (Parquet, Delta, header) */
#define DP_LIMIT_MARK (16u << 20)          /* bytes of one mark */
#define DP_LIMIT_ORIGINS (128u << 10)      /* bytes of the datasets that a header names (its origins); more are left out */
#define DP_LIMIT_PATH 4096u                /* bytes of a path line */
#define DP_LIMIT_FOOTER (256u << 20)       /* Parquet footer */
#define DP_LIMIT_PAGE (256u << 20)         /* uncompressed Parquet page */
#define DP_LIMIT_PAGE_HEADER (16u << 20)   /* Parquet page header */
#define DP_LIMIT_FIXED_WIDTH (1u << 20)    /* bytes of one FIXED_LEN_BYTE_ARRAY value */
#define DP_LIMIT_ROW_VALUES (64u << 20)    /* values of one row in one nested Parquet column */
#define DP_LIMIT_VARIANT_DEPTH 256u        /* nesting of one Variant */
#define DP_LIMIT_THRIFT_DEPTH 32u
#define DP_LIMIT_YAML_BYTES (16u << 20)
#define DP_LIMIT_YAML_DEPTH 64u
#define DP_LIMIT_YAML_NODES 200000u        /* after aliases are expanded */
#define DP_LIMIT_CONTRACT_RULES 1000u      /* one list of quality, relationships or slaProperties of a contract */
#define DP_LIMIT_EXPR_BYTES 65536u
#define DP_LIMIT_EXPR_DEPTH 100u
#define DP_LIMIT_EXPR_STEPS (16u << 20)    /* outputs and calls that one record may cost */
#define DP_LIMIT_EXPR_MEMORY (256u << 20)  /* bytes that one record may make */
#define DP_LIMIT_EXPR_LOOPS (1u << 18)     /* turns of loops and calls in libjq that one record may cost; 4 for each of its values where that is more */
#define DP_LIMIT_EXPR_MILLIS 900u          /* processor time that one record may cost in libjq, for each MiB of it that is begun */
#define DP_LIMIT_EXPR_INDEX (1u << 20)     /* array index that an assignment may reach */
#define DP_LIMIT_PCRE_MATCH 1000000u       /* PCRE2 match limit */
#define DP_LIMIT_PCRE_MATCH_BYTE 1000u     /* of it, for each byte of the text and 16 more */
#define DP_LIMIT_ARCHIVE_MEMBERS 1000000u
#define DP_LIMIT_ARCHIVE_HEADER (4u << 20) /* bytes between two members of a tar or cpio */
#define DP_LIMIT_ARCHIVE_MEMORY (1u << 30) /* what the directory of a zip or 7z may ask for */
#define DP_LIMIT_EXPANSION 10000u          /* archive: bytes out for each byte in, above 1 GiB out */
#define DP_LIMIT_COMMIT_BYTES (1u << 30)   /* one Delta log entry */
#define DP_LIMIT_SQL_BYTES (64u << 10)     /* of one SQL expression of a table */
#define DP_LIMIT_SQL_NODES 10000u          /* its parts */
#define DP_LIMIT_SQL_DEPTH 64u             /* its nesting */
#define DP_LIMIT_INFER_KEYS 256u           /* keys of one object below the top before it is held as JSON */
#define DP_LIMIT_INFER_FIELDS 2000u        /* fields of an inferred schema below its top level */
#define DP_LIMIT_INFER_DEPTH 16u           /* nesting of an inferred schema */
#define DP_LIMIT_STATE_ENTRY (1u << 30)    /* key and value of one entry of a durable state */
#define DP_LIMIT_STATE_QUERY (1u << 20)    /* its description */
#define DP_LIMIT_ZONE (1u << 20)           /* bytes of a zoneinfo file */
#define DP_LIMIT_AGGREGATES 1000u          /* of one window */
#define DP_LIMIT_AGG_VALUES 100000u        /* k of top and most */
#define DP_LIMIT_JOIN_SHAPES 4096u         /* sets of fields that records of a join's other source may have */
#define DP_LIMIT_JOIN_NULLS (16u << 20)    /* bytes of nulls for what they lack, once for each set */
#define DP_LIMIT_SAMPLE (32u << 20)        /* bytes that inference looks at */
#define DP_LIMIT_WINDOWS_PER_RECORD 1000000u /* hopping and count windows that one record may be in */
#define DP_LIMIT_WINDOW_UNIT ((size_t)1 << 20) /* memory for windows from which on half of it is too much for one key */
#define DP_LIMIT_WATERMARK_SOURCES 65536u /* sources by name that hold a watermark */
#define DP_LIMIT_SPOOL (16u << 20)         /* bytes of lineage events that wait for one receiver; of those that it refused as many */
#define DP_LIMIT_LINEAGE_PAIRS 1000000u   /* inputs times outputs of one run in a store of lineage */
#define DP_LIMIT_PRICE_TIERS 100u          /* tiers of storage in a file of prices */
#define DP_LIMIT_REPORT_LINE (16u << 20)   /* bytes of one report of a run */
#define DP_LIMIT_LAKE_DEPTH 100u           /* directories in each other, of a lake that is walked */
#define DP_LIMIT_LAKE_NAMES 100000u        /* datasets and directories in one of them */
#define DP_LIMIT_LAKE_CONTRACTS 10000u     /* objects of the contracts in it */
#define DP_LIMIT_MERMAID_EDGES 500u        /* of a Mermaid diagram: what its renderers take */
#define DP_LIMIT_MERMAID_BYTES 50000u      /* and its text */
#define DP_LIMIT_AUDIT_ENTRY (64u << 10)    /* bytes of one entry of the audit log, its newline included */
#define DP_LIMIT_AUDIT_EXPIRED (16u << 20)  /* bytes of its tombstones: 40,000 segments */
#define DP_LIMIT_SUBJECT_IDS 500u          /* identifiers of one person */
#define DP_LIMIT_SUBJECT_NAMES 64u         /* their names */
#define DP_LIMIT_SUBJECT_VALUE 1024u       /* bytes of one of their values */
#define DP_LIMIT_SUBJECT_FILE (1u << 20)   /* bytes of a file of them */
#define DP_LIMIT_HOLD_CASE 100u            /* bytes of the name of a legal hold's case */
#define DP_LIMIT_HOLD_FILE (64u << 20)     /* bytes of its file in a table */

#endif
