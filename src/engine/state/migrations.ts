/**
 * The database schema as an append-only list of migrations: entry N takes version N to N + 1.
 * The CHECKs mirror lifecycle.ts, so that the database refuses what the code must never write.
 */
import { GITOPS_MIGRATION } from './migration-gitops.ts'

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
  `
  -- SQLite cannot change a CHECK: the table is made anew. Nothing refers to it yet.
  CREATE TABLE container_new (
    id TEXT PRIMARY KEY CHECK (length(id) = 64),
    pod TEXT NOT NULL REFERENCES pod (id) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    short_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('init', 'sidecar', 'regular', 'infra', 'service')),
    -- What somebody wants of it; a stop by hand is written here, so that no restart races it.
    goal TEXT NOT NULL DEFAULT 'running' CHECK (goal IN ('created', 'running', 'stopped')),
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
    -- Somebody sent it a signal that means the end: when it ends, that is not a crash.
    killed INTEGER NOT NULL DEFAULT 0 CHECK (killed IN (0, 1)),
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
  INSERT INTO container_new (id, pod, name, short_name, kind, ordinal, image_id, state, boot, pid, pid_start,
      monitor_pid, monitor_start, restarts, crashes, created_ms, started_ms, finished_ms, exit_code, reason, message,
      command, stop_signal)
    SELECT id, pod, name, short_name, kind, ordinal, image_id, state, boot, pid, pid_start,
      monitor_pid, monitor_start, restarts, crashes, created_ms, started_ms, finished_ms, exit_code, reason, message,
      command, stop_signal FROM container;
  DROP TABLE container;
  ALTER TABLE container_new RENAME TO container;
  CREATE INDEX container_pod ON container (pod, kind, ordinal);

  -- A service container is alone in a pod of its own kind; the pods it stands for name it, and it cannot go before them.
  ALTER TABLE pod ADD COLUMN kind TEXT NOT NULL DEFAULT 'pod' CHECK (kind IN ('pod', 'service'));
  ALTER TABLE pod ADD COLUMN service TEXT REFERENCES pod (id);
  CREATE INDEX pod_service ON pod (service);
  -- When a clock has to look at the pod again: the end of a back-off.
  ALTER TABLE pod ADD COLUMN wake_ms INTEGER;
  CREATE INDEX pod_wake ON pod (wake_ms) WHERE wake_ms IS NOT NULL;

  -- up: namespaces and network stand. changing: somebody was making or freeing them; what is there is not known.
  ALTER TABLE sandbox ADD COLUMN state TEXT NOT NULL DEFAULT 'up' CHECK (state IN ('down', 'changing', 'up'));

  CREATE TABLE exec_session (
    id TEXT PRIMARY KEY CHECK (length(id) = 64),
    container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,
    command TEXT NOT NULL CHECK (json_valid(command)),
    boot TEXT NOT NULL,
    pid INTEGER,
    pid_start TEXT,
    created_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    -- NULL as well when nobody saw it end.
    exit_code INTEGER CHECK (exit_code BETWEEN 0 AND 255),
    CHECK (exit_code IS NULL OR finished_ms IS NOT NULL)
  ) STRICT;
  CREATE INDEX exec_session_container ON exec_session (container);

  -- What happened, for the events command; it outlives what it tells of.
  CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('pod', 'container', 'image', 'volume', 'secret', 'service', 'system')),
    -- Podman's word: create, start, died, …
    action TEXT NOT NULL,
    -- Kubernetes' word: Created, Started, BackOff, …
    reason TEXT NOT NULL,
    warning INTEGER NOT NULL DEFAULT 0 CHECK (warning IN (0, 1)),
    object TEXT NOT NULL,
    name TEXT NOT NULL,
    pod TEXT,
    pod_name TEXT,
    message TEXT NOT NULL DEFAULT '',
    attributes TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(attributes))
  ) STRICT;
  CREATE INDEX event_at ON event (at_ms);
  `,
  `
  -- The pod as its manifest has it, for kube generate; a pod made otherwise has none.
  CREATE TABLE manifest (
    pod TEXT PRIMARY KEY REFERENCES pod (id) ON DELETE CASCADE,
    text TEXT NOT NULL CHECK (json_valid(text))
  ) STRICT;
  `,
  `
  -- A Job lives as long as it has pods: what it is to do, how far it is, and what became of it.
  CREATE TABLE job (
    id TEXT PRIMARY KEY CHECK (length(id) = 64),
    name TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL CHECK (json_valid(spec)),
    -- What the play asked for besides the manifest: later pods are made the same way.
    options TEXT NOT NULL CHECK (json_valid(options)),
    progress TEXT NOT NULL CHECK (json_valid(progress)),
    outcome TEXT CHECK (outcome IN ('Complete', 'Failed')),
    reason TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    created_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    -- When somebody has to look at it again: a pause between pods, its deadline, its removal, or a look that was begun.
    wake_ms INTEGER,
    CHECK ((outcome IS NULL) = (finished_ms IS NULL))
  ) STRICT;
  CREATE INDEX job_wake ON job (wake_ms) WHERE wake_ms IS NOT NULL;
  ALTER TABLE pod ADD COLUMN job TEXT REFERENCES job (id);
  CREATE INDEX pod_job ON pod (job);
  -- Its end is in the progress of its Job.
  ALTER TABLE pod ADD COLUMN counted INTEGER NOT NULL DEFAULT 0 CHECK (counted IN (0, 1));

  -- SQLite cannot change a CHECK: the table is made anew.
  CREATE TABLE event_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('pod', 'container', 'image', 'volume', 'secret', 'service', 'job', 'system')),
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    warning INTEGER NOT NULL DEFAULT 0 CHECK (warning IN (0, 1)),
    object TEXT NOT NULL,
    name TEXT NOT NULL,
    pod TEXT,
    pod_name TEXT,
    message TEXT NOT NULL DEFAULT '',
    attributes TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(attributes))
  ) STRICT;
  INSERT INTO event_new SELECT * FROM event;
  DROP TABLE event;
  ALTER TABLE event_new RENAME TO event;
  CREATE INDEX event_at ON event (at_ms);
  `,
  `
  -- Since when a pod is active: its deadline counts from there.
  ALTER TABLE pod ADD COLUMN active_ms INTEGER;
  -- What it failed of as a whole, whatever became of its containers, and when: nothing of it starts any more.
  ALTER TABLE pod ADD COLUMN failure TEXT CHECK (failure IN ('DeadlineExceeded'));
  ALTER TABLE pod ADD COLUMN failed_ms INTEGER CHECK ((failure IS NULL) = (failed_ms IS NULL));
  `,
  `
  -- A pod may be evicted too, for what its message says.
  ALTER TABLE pod ADD COLUMN failure_new TEXT CHECK (failure_new IN ('DeadlineExceeded', 'Evicted'));
  ALTER TABLE pod ADD COLUMN failed_new INTEGER;
  UPDATE pod SET failure_new = failure, failed_new = failed_ms;
  ALTER TABLE pod DROP COLUMN failed_ms;
  ALTER TABLE pod DROP COLUMN failure;
  ALTER TABLE pod RENAME COLUMN failure_new TO failure;
  ALTER TABLE pod RENAME COLUMN failed_new TO failed_ms;
  ALTER TABLE pod ADD COLUMN failure_message TEXT;
  `,
  `
  -- How far its run has got, for who waits for it: 0 for one that does not run.
  ALTER TABLE container ADD COLUMN started INTEGER NOT NULL DEFAULT 0 CHECK (started IN (0, 1));
  ALTER TABLE container ADD COLUMN ready INTEGER NOT NULL DEFAULT 0 CHECK (ready IN (0, 1));
  -- Its postStart hook has come to its end, or it has none.
  ALTER TABLE container ADD COLUMN hooked INTEGER NOT NULL DEFAULT 0 CHECK (hooked IN (0, 1));
  -- By its liveness probe, or by its startup probe where it has only that; NULL for one that has neither.
  ALTER TABLE container ADD COLUMN health TEXT CHECK (health IN ('starting', 'healthy', 'unhealthy'));
  -- What has found its run to be beyond help: a wish to end it, and to treat its end as a failure.
  ALTER TABLE container ADD COLUMN failed_check TEXT CHECK (failed_check IN ('liveness', 'startup', 'postStart'));
  UPDATE container SET started = 1, ready = 1, hooked = 1 WHERE state IN ('running', 'paused', 'stopping');
  `,
  GITOPS_MIGRATION,
  `
  -- An app: objects that are applied, listed and taken down together, whoever made their manifests.
  CREATE TABLE app (
    name TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    revision TEXT,
    applied_ms INTEGER NOT NULL
  ) STRICT;

  -- One owner per object. It is written before the object is made, and stays until the object is gone.
  CREATE TABLE app_object (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    app TEXT NOT NULL REFERENCES app (name) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    wave INTEGER NOT NULL DEFAULT 0,
    protection TEXT CHECK (protection IN ('disabled', 'confirm')),
    -- How many pods it has when all is well.
    pods INTEGER NOT NULL DEFAULT 0,
    -- Of ConfigMaps and Services, which have no other record, what their documents say; the claims of a StatefulSet.
    content TEXT CHECK (json_valid(content)),
    PRIMARY KEY (kind, name)
  ) STRICT;
  CREATE INDEX app_object_app ON app_object (app);

  -- A pod as it was before an apply replaced it, until its successor is up: what comes back when that does not.
  CREATE TABLE app_before (
    pod TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES app (name) ON DELETE CASCADE,
    record TEXT NOT NULL CHECK (json_valid(record))
  ) STRICT;
  `,
  `
  -- What the last apply has left, when nothing was left to do: whoever asks for the same again is answered by it.
  ALTER TABLE app ADD COLUMN settled TEXT CHECK (json_valid(settled));
  `,
  `
  -- Objects of a source that are left alone for a while, by their names: who wants that, and why.
  ALTER TABLE gitops_source ADD COLUMN held TEXT CHECK (json_valid(held));
  `,
]
