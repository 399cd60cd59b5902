/// The log's tables as a new log has them: the one place that says what is kept and what each column means.
///
/// SQLite keeps the comments inside a statement with the table, so `.schema` in any tool shows them.
///
/// `[nondeterministic]` at the end of a column's comment marks what may differ between two runs of the
/// same inputs: times, host, process ids, what a program wrote to stderr. As the first line of a
/// table it marks the whole table, `[nondeterministic where CONDITION]` some of its rows.
/// `grpo log export --canonical` writes all the rest, and is derived from these marks.
///
/// Arrays are little-endian and unpadded: `token_ids` int32, log-probabilities, entropies and ratios
/// float32, advantages float64. All log-probabilities and entropies are in nats.
///
/// Tables are STRICT (SQLite 3.37), and no column is ANY: tools that go by declared types read them. A
/// REAL keeps every bit of a number but the sign of zero: −0.0 comes back as 0.0.
///
/// Whoever changes this adds the same change to `LogFormat.migrations`; a test holds the one against the
/// other.
let currentSchema = #"""
  -- One row per run. A log that a trainer writes holds one run, or a cold start and the run after it;
  -- `grpo log merge` puts runs of several logs into one file.
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,                 -- the run folder's name [nondeterministic]
    kind TEXT NOT NULL,                 -- 'grpo', 'sft', 'rescore', …
    seed INTEGER NOT NULL,
    program_version TEXT NOT NULL,
    config TEXT NOT NULL CHECK (json_valid(config)), -- the resolved settings, without the folder
    model TEXT NOT NULL,                -- path of the parent model
    model_hash TEXT NOT NULL,           -- SHA-256 of its weights
    dataset TEXT NOT NULL,
    dataset_hash TEXT NOT NULL,
    provenance TEXT NOT NULL CHECK (json_valid(provenance)), -- other hashes: tokenizer, evaluation data
    host TEXT NOT NULL CHECK (json_valid(host)), -- machine, CPU, libraries, threads, process [nondeterministic]
    started_at TEXT NOT NULL,           -- UTC, ISO 8601 [nondeterministic]
    finished_at TEXT,                   -- NULL while it runs, or after it died [nondeterministic]
    outcome TEXT                        -- 'done', 'interrupted', or why it failed [nondeterministic]
  ) STRICT;

  -- The rewards of a run, in the order of its config.
  CREATE TABLE rewards (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,          -- place in the config, from 0
    name TEXT NOT NULL,
    weight REAL NOT NULL,
    kind TEXT NOT NULL,                 -- 'built-in', 'executable', 'python', …
    content_hash TEXT NOT NULL,         -- SHA-256 of the plugin, '' where there is none
    deterministic INTEGER NOT NULL CHECK (deterministic IN (0, 1)),
    specification TEXT NOT NULL CHECK (json_valid(specification)), -- as in the config
    UNIQUE (run_id, position),
    UNIQUE (run_id, name)
  ) STRICT;

  -- Rows of the datasets that were asked, once each.
  CREATE TABLE problems (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    dataset TEXT NOT NULL,              -- which dataset, '' where there is one only
    problem_index INTEGER NOT NULL,     -- row in the dataset, from 0
    variant INTEGER NOT NULL,           -- counts different renderings of the same row, from 0
    form TEXT NOT NULL CHECK (form IN ('text', 'messages')),
    prompt TEXT NOT NULL,               -- the text, or a JSON array of chat messages
    prompt_token_ids BLOB NOT NULL,     -- int32
    columns TEXT NOT NULL CHECK (json_valid(columns)), -- the other columns of the row
    UNIQUE (run_id, dataset, problem_index, variant)
  ) STRICT;

  -- One row per step: a rollout of some groups, and the updates that learn from it.
  -- The summaries count the groups that were kept.
  CREATE TABLE steps (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL CHECK (step >= 0),
    policy_step INTEGER NOT NULL,       -- optimiser updates behind the policy that sampled
    groups INTEGER NOT NULL,            -- kept groups
    dropped_groups INTEGER NOT NULL,    -- sampled, but not learned from
    tied_groups INTEGER NOT NULL,       -- kept groups whose rewards are all equal
    completions INTEGER NOT NULL,
    tokens INTEGER NOT NULL,            -- sampled tokens
    truncated INTEGER NOT NULL,         -- completions that met the limit on their length
    unscored INTEGER NOT NULL,          -- completions without a reward
    reward_mean REAL,
    reward_std REAL,                    -- over the step's completions, dividing by their number
    reward_min REAL,
    reward_max REAL,
    length_mean REAL,                   -- tokens
    length_min INTEGER,
    length_max INTEGER,
    logprob_mean REAL,                  -- per token, by the sampler
    entropy_mean REAL,                  -- per token
    committed_at TEXT NOT NULL,         -- UTC, ISO 8601 [nondeterministic]
    UNIQUE (run_id, step)
  ) STRICT;
  CREATE INDEX steps_by_step ON steps (step);

  -- The completions of one prompt in one step.
  CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    problem_id INTEGER NOT NULL REFERENCES problems (id),
    draw INTEGER NOT NULL,              -- ordinal in the step, dropped groups counted
    dropped INTEGER NOT NULL CHECK (dropped IN (0, 1)),
    size INTEGER NOT NULL,              -- completions
    tied INTEGER NOT NULL CHECK (tied IN (0, 1)), -- all rewards equal (or none): nothing to learn
    reward_mean REAL,
    reward_std REAL,                    -- dividing by the number of rewards
    reward_min REAL,
    reward_max REAL,
    UNIQUE (step_id, draw)
  ) STRICT;
  CREATE INDEX groups_by_problem ON groups (problem_id, step_id);

  -- One row a trajectory: what a person filters by, and the text.
  CREATE TABLE completions (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    sample INTEGER NOT NULL,            -- place in the group, from 0
    finish TEXT NOT NULL CHECK (finish IN ('stop', 'length')),
    length INTEGER NOT NULL,            -- tokens, the end token included
    reward REAL,                        -- weighted total; NULL: could not be scored
    advantage REAL,                     -- its mean, where tokens differ
    logprob_mean REAL,                  -- per token, by the sampler
    logprob_min REAL,                   -- of the least likely token
    entropy_mean REAL,                  -- per token
    text TEXT NOT NULL,                 -- what the rewards saw
    UNIQUE (group_id, sample)
  ) STRICT;
  CREATE INDEX completions_by_step ON completions (step_id, reward, advantage, length, finish);
  CREATE INDEX completions_by_reward ON completions (reward);

  -- What happened token by token; apart from `completions`, so that those stay quick to walk.
  CREATE TABLE completion_tokens (
    completion_id INTEGER PRIMARY KEY REFERENCES completions (id) ON DELETE CASCADE,
    token_ids BLOB NOT NULL,            -- int32
    sampler_logprobs BLOB,              -- float32, under the distribution that was sampled from
    reference_logprobs BLOB,            -- float32, of the reference model; NULL without one
    entropies BLOB,                     -- float32, of the distribution that was sampled from
    advantages BLOB,                    -- float64; NULL where completions.advantage holds for all
    kept_sets BLOB                      -- what truncated sampling left, see docs/log.md; NULL: all
  ) STRICT;

  -- What each reward said of each completion.
  CREATE TABLE scores (
    completion_id INTEGER NOT NULL REFERENCES completions (id) ON DELETE CASCADE,
    reward_id INTEGER NOT NULL REFERENCES rewards (id),
    status TEXT NOT NULL CHECK (status IN ('scored', 'unscorable', 'failed')),
    value REAL,                         -- before its weight; NULL: none
    parts TEXT,                         -- JSON object of named components
    steps TEXT,                         -- JSON array of {end, score}: process supervision
    log TEXT,                           -- JSON object, whatever the reward wanted kept
    error TEXT,                         -- why it is unscorable or failed
    seconds REAL,                       -- time that scoring took [nondeterministic]
    stderr TEXT,                        -- what the plugin wrote there [nondeterministic]
    from_cache INTEGER NOT NULL DEFAULT 0 CHECK (from_cache IN (0, 1)), -- [nondeterministic]
    reason TEXT,                        -- why the score is what it is, where the reward says
    PRIMARY KEY (completion_id, reward_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX scores_without_value ON scores (status, completion_id) WHERE status <> 'scored';

  -- Sums over a step's completions from which means, spreads and shares follow exactly.
  CREATE TABLE reward_summaries (
    step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    reward_id INTEGER NOT NULL REFERENCES rewards (id),
    scored INTEGER NOT NULL,
    unscorable INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    sum REAL NOT NULL,                  -- of the values
    sum_squares REAL NOT NULL,
    minimum REAL,
    maximum REAL,
    advantage_share REAL NOT NULL,      -- sum within groups of weight·(value − mean)·(reward − mean)
    advantage_total REAL NOT NULL,      -- sum within groups of (reward − mean)²; 0 in tied groups
    PRIMARY KEY (step_id, reward_id)
  ) STRICT, WITHOUT ROWID;

  -- The same for pairs of rewards, over the completions that both scored: their correlation.
  CREATE TABLE reward_pairs (
    step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    first_reward_id INTEGER NOT NULL REFERENCES rewards (id),
    second_reward_id INTEGER NOT NULL REFERENCES rewards (id),
    count INTEGER NOT NULL,
    first_sum REAL NOT NULL,
    second_sum REAL NOT NULL,
    first_sum_squares REAL NOT NULL,
    second_sum_squares REAL NOT NULL,
    sum_products REAL NOT NULL,
    PRIMARY KEY (step_id, first_reward_id, second_reward_id)
  ) STRICT, WITHOUT ROWID;

  -- One row an optimiser update.
  CREATE TABLE updates (
    id INTEGER PRIMARY KEY,
    step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    update_index INTEGER NOT NULL,      -- within the step, from 0
    policy_step INTEGER NOT NULL,       -- optimiser updates after this one
    committed_at TEXT NOT NULL,         -- UTC, ISO 8601 [nondeterministic]
    UNIQUE (step_id, update_index)
  ) STRICT;

  -- What an update saw of a completion.
  CREATE TABLE completion_updates (
    completion_id INTEGER NOT NULL REFERENCES completions (id) ON DELETE CASCADE,
    update_id INTEGER NOT NULL REFERENCES updates (id) ON DELETE CASCADE,
    ratio_min REAL,                     -- of its tokens: policy ÷ policy that sampled
    ratio_max REAL,
    log_ratio_max REAL,                 -- largest |log ratio|
    clipped_low INTEGER NOT NULL,       -- tokens whose gradient the lower clip removed
    clipped_high INTEGER NOT NULL,      -- and the upper one
    kl_mean REAL,                       -- per token, to the reference; NULL without one
    arrays INTEGER NOT NULL,            -- what was logged, of 1 log-probabilities, 2 ratios, 4 clips:
                                        -- tells 'NULL: equal' below from 'NULL: not logged'
    trainer_logprobs BLOB,              -- float32; NULL: equal to sampler_logprobs in every bit
    ratios BLOB,                        -- float32; NULL: all exactly 1
    clips BLOB,                         -- int8: −1 low, 1 high, 0 none; NULL: none
    PRIMARY KEY (completion_id, update_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX completion_updates_by_update ON completion_updates (update_id);
  CREATE INDEX completion_updates_by_ratio ON completion_updates (log_ratio_max)
    WHERE log_ratio_max > 0;

  \#(turnTables)
  -- Numbers of a step as metrics.jsonl has them; docs/objective.md says what each means.
  CREATE TABLE metrics (
    -- [nondeterministic where name GLOB 'time/*']
    step_id INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
    update_index INTEGER NOT NULL,      -- the update within the step; −1: the step as a whole
    name TEXT NOT NULL,
    value REAL,                         -- NULL: not a number
    PRIMARY KEY (step_id, update_index, name)
  ) STRICT, WITHOUT ROWID;

  -- One row per evaluation, its metrics and its trajectories.
  CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,              -- steps behind the policy; 0: before the first
    name TEXT NOT NULL,                 -- which evaluation
    dataset TEXT NOT NULL,
    metrics TEXT NOT NULL CHECK (json_valid(metrics)), -- JSON object: name, number
    seconds REAL,                       -- [nondeterministic]
    committed_at TEXT NOT NULL,         -- UTC, ISO 8601 [nondeterministic]
    UNIQUE (run_id, step, name)
  ) STRICT;
  CREATE TABLE evaluation_completions (
    evaluation_id INTEGER NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
    problem_index INTEGER NOT NULL,
    sample INTEGER NOT NULL,
    form TEXT NOT NULL CHECK (form IN ('text', 'messages')),
    prompt TEXT NOT NULL,
    text TEXT NOT NULL,
    finish TEXT NOT NULL CHECK (finish IN ('stop', 'length')),
    token_ids BLOB NOT NULL,            -- int32
    reward REAL,                        -- weighted total; NULL: could not be scored
    scores TEXT NOT NULL CHECK (json_valid(scores)), -- JSON object: reward, number or null
    columns TEXT,                       -- JSON object: the other columns of the row; NULL in older logs
    PRIMARY KEY (evaluation_id, problem_index, sample)
  ) STRICT;

  CREATE TABLE checkpoints (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,              -- steps behind the weights
    policy_step INTEGER NOT NULL,       -- optimiser updates behind the weights
    path TEXT NOT NULL,                 -- relative to the run folder
    content_hash TEXT NOT NULL,         -- SHA-256 of its trainer.json, which has those of its files
    saved_at TEXT NOT NULL,             -- UTC, ISO 8601 [nondeterministic]
    UNIQUE (run_id, path)
  ) STRICT;

  -- What befell the run: starts, resumptions, warnings, failures.
  CREATE TABLE events (
    -- [nondeterministic]
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step INTEGER,                       -- NULL: outside a step
    time TEXT NOT NULL,                 -- UTC, ISO 8601
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail))
  ) STRICT;

  -- Full-text indexes (FTS5) that hold no second copy of the text; spelt so that Datasette finds them:
  --   SELECT * FROM completions WHERE id IN (SELECT rowid FROM completion_search('apple OR pear'))
  CREATE VIRTUAL TABLE completion_search USING fts5 (
    text, content="completions", content_rowid = 'id', columnsize = 0
  );
  CREATE VIRTUAL TABLE problem_search USING fts5 (
    prompt, content="problems", content_rowid = 'id', columnsize = 0
  );
  -- Segments are merged sixteen at once, not four: half as often written anew, and still searched in
  -- milliseconds.
  INSERT INTO completion_search (completion_search, rank) VALUES ('automerge', 16);
  -- The writer adds a step's texts with one statement at its end, since FTS5 writes out what it has
  -- gathered before every statement that fires a trigger; what other tools change is kept in step.
  CREATE TRIGGER completions_deleted AFTER DELETE ON completions BEGIN
    INSERT INTO completion_search (completion_search, rowid, text)
      VALUES ('delete', old.id, old.text);
  END;
  CREATE TRIGGER completions_updated AFTER UPDATE OF id, text ON completions BEGIN
    INSERT INTO completion_search (completion_search, rowid, text)
      VALUES ('delete', old.id, old.text);
    INSERT INTO completion_search (rowid, text) VALUES (new.id, new.text);
  END;
  CREATE TRIGGER problems_deleted AFTER DELETE ON problems BEGIN
    INSERT INTO problem_search (problem_search, rowid, prompt)
      VALUES ('delete', old.id, old.prompt);
  END;
  CREATE TRIGGER problems_updated AFTER UPDATE OF id, prompt ON problems BEGIN
    INSERT INTO problem_search (problem_search, rowid, prompt)
      VALUES ('delete', old.id, old.prompt);
    INSERT INTO problem_search (rowid, prompt) VALUES (new.id, new.prompt);
  END;

  -- A trajectory with everything that says where it comes from.
  CREATE VIEW trajectories AS
    SELECT runs.id AS run_id, runs.name AS run, steps.step, steps.policy_step, groups.draw,
      completions.sample,
      completions.id AS completion_id, groups.id AS group_id, problems.id AS problem_id,
      problems.dataset, problems.problem_index, problems.prompt, completions.text,
      completions.reward, completions.advantage, completions.finish, completions.length,
      groups.dropped, groups.tied, completions.logprob_mean, completions.logprob_min,
      completions.entropy_mean,
      (SELECT max(ratio_max) FROM completion_updates AS u WHERE u.completion_id = completions.id)
        AS ratio_max,
      (SELECT sum(clipped_low + clipped_high) FROM completion_updates AS u
        WHERE u.completion_id = completions.id) AS clipped_tokens
    FROM completions
    JOIN groups ON groups.id = completions.group_id
    JOIN steps ON steps.id = completions.step_id
    JOIN problems ON problems.id = groups.problem_id
    JOIN runs ON runs.id = steps.run_id;

  -- What each reward said, by name.
  CREATE VIEW reward_scores AS
    SELECT steps.run_id, steps.step, scores.completion_id, rewards.name AS reward, rewards.weight,
      scores.status, scores.value, scores.parts, scores.error, scores.seconds, scores.reason
    FROM scores
    JOIN rewards ON rewards.id = scores.reward_id
    JOIN completions ON completions.id = scores.completion_id
    JOIN steps ON steps.id = completions.step_id;

  -- Metrics with the step they belong to.
  CREATE VIEW step_metrics AS
    SELECT steps.run_id, steps.step, metrics.update_index, metrics.name, metrics.value
    FROM metrics JOIN steps ON steps.id = metrics.step_id;

  -- Each problem over the whole run: how often it was asked, and its best and mean reward.
  CREATE VIEW problem_results AS
    SELECT problems.run_id, problems.id AS problem_id, problems.dataset, problems.problem_index,
      problems.prompt, count(groups.id) AS times_drawn, min(steps.step) AS first_step,
      max(steps.step) AS last_step, max(groups.reward_max) AS best_reward,
      avg(groups.reward_mean) AS mean_reward
    FROM problems
    JOIN groups ON groups.problem_id = problems.id
    JOIN steps ON steps.id = groups.step_id
    GROUP BY problems.id;

  -- What SQLite's planner should expect: the shape of a long run with 8 groups of 8 per step, not
  -- measured, so that a log's plans and bytes don't depend on when somebody ran ANALYZE.
  ANALYZE sqlite_schema;
  INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('runs', NULL, '1'),
    ('rewards', 'sqlite_autoindex_rewards_1', '2 2 1'),
    ('rewards', 'sqlite_autoindex_rewards_2', '2 2 1'),
    ('problems', 'sqlite_autoindex_problems_1', '8000 8000 8000 1 1'),
    ('steps', 'sqlite_autoindex_steps_1', '16000 16000 1'),
    ('steps', 'steps_by_step', '16000 1'),
    ('groups', 'sqlite_autoindex_groups_1', '128000 8 1'),
    ('groups', 'groups_by_problem', '128000 16 1'),
    ('completions', 'sqlite_autoindex_completions_1', '1024000 8 1'),
    ('completions', 'completions_by_step', '1024000 64 4 2 2 2'),
    ('completions', 'completions_by_reward', '1024000 1000'),
    ('completion_tokens', NULL, '1024000'),
    ('scores', 'scores', '2048000 2 1'),
    ('scores', 'scores_without_value', '4000 2000 1'),
    ('reward_summaries', 'reward_summaries', '32000 2 1'),
    ('reward_pairs', 'reward_pairs', '16000 1 1 1'),
    ('updates', 'sqlite_autoindex_updates_1', '16000 1 1'),
    ('completion_updates', 'completion_updates', '1024000 1 1'),
    ('completion_updates', 'completion_updates_by_update', '1024000 64'),
    ('completion_updates', 'completion_updates_by_ratio', '512000 1'),
    ('metrics', 'metrics', '400000 25 12 1');
  """#

/// The SQL that makes a log, with a comment on every table and column.
public var trajectoryLogSchema: String { currentSchema }
