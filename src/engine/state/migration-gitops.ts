/** The tables of GitOps sources: a migration as any other, in a file of its own for its length. */
export const GITOPS_MIGRATION = `
  -- Where manifests are read from again and again, and how that stands.
  CREATE TABLE gitops_source (
    name TEXT PRIMARY KEY,
    wish TEXT NOT NULL CHECK (json_valid(wish)),
    created_ms INTEGER NOT NULL,
    checked_ms INTEGER,
    seen_revision TEXT,
    seen_ms INTEGER CHECK ((seen_revision IS NULL) = (seen_ms IS NULL)),
    attempted_revision TEXT,
    attempted_ms INTEGER CHECK ((attempted_revision IS NULL) = (attempted_ms IS NULL)),
    applied_revision TEXT,
    applied_ms INTEGER CHECK ((applied_revision IS NULL) = (applied_ms IS NULL)),
    signer TEXT,
    suspension TEXT CHECK (json_valid(suspension)),
    failure TEXT CHECK (json_valid(failure)),
    drift TEXT
  ) STRICT;

  -- What was done, or why nothing was. Without an end: somebody is at it, or was killed.
  CREATE TABLE gitops_run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL REFERENCES gitops_source (name) ON DELETE CASCADE,
    began_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    revision TEXT,
    outcome TEXT CHECK (outcome IN
      ('applied', 'unchanged', 'observed', 'skipped', 'refused', 'failed', 'rolled back', 'interrupted')),
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(detail)),
    CHECK ((outcome IS NULL) = (ended_ms IS NULL))
  ) STRICT;
  CREATE INDEX gitops_run_source ON gitops_run (source, id);

  -- Revisions whose apply has failed, and what the host was like.
  CREATE TABLE gitops_bad (
    source TEXT NOT NULL REFERENCES gitops_source (name) ON DELETE CASCADE,
    revision TEXT NOT NULL,
    host TEXT NOT NULL,
    tries INTEGER NOT NULL CHECK (tries > 0),
    reason TEXT NOT NULL,
    retry_ms INTEGER,
    PRIMARY KEY (source, revision)
  ) STRICT;

  -- The manifests that were applied last, to go back to, with the images that their names stood for.
  CREATE TABLE gitops_applied (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL REFERENCES gitops_source (name) ON DELETE CASCADE,
    revision TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    root TEXT NOT NULL,
    files TEXT NOT NULL CHECK (json_valid(files)),
    images TEXT NOT NULL CHECK (json_valid(images)),
    UNIQUE (source, revision)
  ) STRICT;

  -- Units of tspod-kube@ that a source has written a manifest for: no other file is ever replaced or removed.
  CREATE TABLE gitops_unit (
    unit TEXT PRIMARY KEY,
    source TEXT NOT NULL REFERENCES gitops_source (name) ON DELETE CASCADE,
    file TEXT NOT NULL,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX gitops_unit_source ON gitops_unit (source);

  -- SQLite cannot change a CHECK: the table is made anew.
  CREATE TABLE event_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN
      ('pod', 'container', 'image', 'volume', 'secret', 'service', 'job', 'gitops', 'system')),
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
  `
