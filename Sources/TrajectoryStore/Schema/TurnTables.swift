/// What is kept of trajectories of several turns, since format 3; part of `currentSchema`.
let turnTables = #"""
  -- Stretches of trajectories of several turns, by who wrote them; a completion without any was sampled whole.
  -- Only sampled tokens have log-probabilities, entropies, advantages, ratios and a place in the length.
  CREATE TABLE segments (
    completion_id INTEGER NOT NULL REFERENCES completions (id) ON DELETE CASCADE,
    segment INTEGER NOT NULL,           -- from 0
    origin TEXT NOT NULL CHECK (origin IN ('sampled', 'observed')),
    start INTEGER NOT NULL,             -- its first token, counted from the end of the prompt
    length INTEGER NOT NULL,            -- in tokens
    PRIMARY KEY (completion_id, segment)
  ) STRICT, WITHOUT ROWID;

  -- Turns of trajectories that met tools or an environment, and what was answered.
  CREATE TABLE turns (
    completion_id INTEGER NOT NULL REFERENCES completions (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL,              -- from 0
    message TEXT NOT NULL CHECK (json_valid(message)), -- what the policy wrote, calls of tools included
    answers TEXT NOT NULL CHECK (json_valid(answers)), -- JSON array of messages; empty: nothing was read
    calls INTEGER NOT NULL,             -- of tools
    failures INTEGER NOT NULL,          -- calls that failed
    reward REAL,                        -- the turn's own; NULL: none
    seconds REAL,                       -- until the answer came [nondeterministic]
    PRIMARY KEY (completion_id, turn)
  ) STRICT, WITHOUT ROWID;

  -- How such a trajectory ended at the environment's side.
  CREATE TABLE episodes (
    completion_id INTEGER PRIMARY KEY REFERENCES completions (id) ON DELETE CASCADE,
    reward REAL,                        -- as the environment gave it; NULL: none
    failure TEXT                        -- why the environment was lost; NULL: it was not
  ) STRICT;

  """#
