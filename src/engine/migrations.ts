/**
 * The database schema as an append-only list of migrations: entry N takes version N to N + 1.
 * The CHECKs mirror lifecycle.ts, so that the database refuses what the code must never write.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE pod (
    id TEXT PRIMARY KEY CHECK (length(id) = 64),
    name TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL CHECK (json_valid(spec)),
    settings TEXT NOT NULL CHECK (json_valid(settings)),
    goal TEXT NOT NULL CHECK (goal IN ('created', 'running', 'stopped', 'removed')),
    -- 0 until the play that makes it has finished: a pod found like that was interrupted.
    complete INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    created_ms INTEGER NOT NULL,
    started_ms INTEGER
  ) STRICT;

  CREATE TABLE container (
    id TEXT PRIMARY KEY CHECK (length(id) = 64),
    pod TEXT NOT NULL REFERENCES pod (id) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    short_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('init', 'regular', 'infra')),
    ordinal INTEGER NOT NULL,
    image_id TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN
      ('configured', 'created', 'running', 'paused', 'stopping', 'stopped', 'exited', 'removing', 'unknown')),
    boot TEXT,
    pid INTEGER,
    pid_start TEXT,
    monitor_pid INTEGER,
    monitor_start TEXT,
    restarts INTEGER NOT NULL DEFAULT 0 CHECK (restarts >= 0),
    -- Restarts in a row without a long run in between: the exponent of the back-off.
    crashes INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    finished_ms INTEGER,
    exit_code INTEGER CHECK (exit_code BETWEEN 0 AND 255),
    reason TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    command TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(command)),
    stop_signal TEXT NOT NULL DEFAULT 'SIGTERM',
    UNIQUE (pod, short_name),
    CHECK ((state IN ('running', 'paused')) <= (pid IS NOT NULL AND boot IS NOT NULL)),
    CHECK ((state = 'exited') <= (exit_code IS NOT NULL))
  ) STRICT;
  CREATE INDEX container_pod ON container (pod, kind, ordinal);

  -- What holds for one boot only: a row of another boot is history.
  CREATE TABLE sandbox (
    pod TEXT PRIMARY KEY REFERENCES pod (id) ON DELETE CASCADE,
    boot TEXT NOT NULL,
    facts TEXT NOT NULL CHECK (json_valid(facts))
  ) STRICT;

  CREATE TABLE lease (
    network TEXT NOT NULL,
    address TEXT NOT NULL,
    pod TEXT NOT NULL REFERENCES pod (id) ON DELETE CASCADE,
    PRIMARY KEY (network, address)
  ) STRICT;
  CREATE INDEX lease_pod ON lease (pod);

  CREATE TABLE volume (
    name TEXT PRIMARY KEY,
    labels TEXT NOT NULL CHECK (json_valid(labels)),
    annotations TEXT NOT NULL CHECK (json_valid(annotations)),
    created_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    immutable INTEGER NOT NULL CHECK (immutable IN (0, 1)),
    data TEXT NOT NULL CHECK (json_valid(data)),
    created_ms INTEGER NOT NULL
  ) STRICT;
  `,
]
