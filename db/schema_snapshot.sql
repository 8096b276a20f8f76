-- Written by `deno task schema`; db/schema_snapshot.test.ts compares it with the migrations.

create table agent (
  id uuid not null,
  project_id uuid not null,
  name text not null,
  kind text not null,
  embedded boolean default false not null,
  public_key text,
  sealing_key text,
  labels jsonb default '{}'::jsonb not null,
  facts jsonb default '{}'::jsonb not null,
  versions jsonb default '{}'::jsonb not null,
  slots integer default 0 not null,
  status text not null,
  session_id uuid,
  reason jsonb not null,
  cordoned boolean default false not null,
  last_seen_at timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  arrivals bigint default 0 not null,
  key_since timestamp with time zone,
  next_public_key text,
  next_sealing_key text,
  rotate_wanted boolean default false not null,
  ticket bytea,
  previous_ticket bytea,
  awaits_approval boolean default false not null,
  drain_started_at timestamp with time zone,
  drained_at timestamp with time zone,
  constraint agent_pkey PRIMARY KEY (id),
  constraint agent_name UNIQUE (project_id, name),
  constraint agent_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint agent_identity CHECK ((embedded OR ((public_key IS NOT NULL) AND (sealing_key IS NOT NULL)))),
  constraint agent_status CHECK ((status = ANY (ARRAY['connected'::text, 'disconnected'::text, 'revoked'::text])))
);

create table agent_environment (
  agent_id uuid not null,
  environment_id uuid not null,
  constraint agent_environment_agent_id_environment_id_pk PRIMARY KEY (agent_id, environment_id),
  constraint agent_environment_agent_id_agent_id_fk FOREIGN KEY (agent_id) REFERENCES agent(id) ON DELETE CASCADE,
  constraint agent_environment_environment_id_environment_id_fk FOREIGN KEY (environment_id) REFERENCES environment(id) ON DELETE CASCADE
);

create table agent_query (
  id uuid not null,
  project_id uuid not null,
  agent_id uuid not null,
  kind text not null,
  environment_id uuid,
  application_id uuid,
  follow boolean default false not null,
  session_id uuid,
  created_at timestamp with time zone default boreas_now() not null,
  wanted_until timestamp with time zone not null,
  answered_at timestamp with time zone,
  ended text,
  next_sequence integer default 0 not null,
  bytes bigint default 0 not null,
  constraint agent_query_pkey PRIMARY KEY (id),
  constraint agent_query_agent_id_agent_id_fk FOREIGN KEY (agent_id) REFERENCES agent(id) ON DELETE CASCADE,
  constraint agent_query_application_id_application_id_fk FOREIGN KEY (application_id) REFERENCES application(id) ON DELETE CASCADE,
  constraint agent_query_environment_id_environment_id_fk FOREIGN KEY (environment_id) REFERENCES environment(id) ON DELETE CASCADE,
  constraint agent_query_kind CHECK ((kind = ANY (ARRAY['observe'::text, 'tail'::text])))
);

create table agent_query_chunk (
  query_id uuid not null,
  sequence integer not null,
  offset bigint not null,
  data bytea not null,
  constraint agent_query_chunk_query_id_sequence_pk PRIMARY KEY (query_id, sequence),
  constraint agent_query_chunk_query_id_agent_query_id_fk FOREIGN KEY (query_id) REFERENCES agent_query(id) ON DELETE CASCADE
);

create table agent_runtime (
  os text not null,
  arch text not null,
  sha256 text not null,
  size bigint not null,
  blob_sha256 text not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint agent_runtime_os_arch_pk PRIMARY KEY (os, arch)
);

create table api_token (
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null,
  name text not null,
  hash bytea not null,
  role text not null,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  created_at timestamp with time zone default boreas_now() not null,
  constraint api_token_pkey PRIMARY KEY (id),
  constraint api_token_hash_unique UNIQUE (hash),
  constraint api_token_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint api_token_user_id_app_user_id_fk FOREIGN KEY (user_id) REFERENCES app_user(id) ON DELETE CASCADE
);

create table app_state (
  environment_id uuid not null,
  application_id uuid not null,
  target text not null,
  project_id uuid not null,
  agent_id uuid,
  version_id uuid,
  spec_sha256 text,
  health text not null,
  sync text not null,
  details jsonb default '{}'::jsonb not null,
  updated_at timestamp with time zone default boreas_now() not null,
  observed_at timestamp with time zone,
  observed_version text,
  resources jsonb default '[]'::jsonb not null,
  differences jsonb,
  drift jsonb default '[]'::jsonb not null,
  health_since timestamp with time zone,
  healing jsonb,
  handed_out_at timestamp with time zone,
  constraint app_state_environment_id_application_id_target_pk PRIMARY KEY (environment_id, application_id, target),
  constraint app_state_application_id_application_id_fk FOREIGN KEY (application_id) REFERENCES application(id) ON DELETE CASCADE,
  constraint app_state_environment_id_environment_id_fk FOREIGN KEY (environment_id) REFERENCES environment(id) ON DELETE CASCADE,
  constraint app_state_version_id_version_id_fk FOREIGN KEY (version_id) REFERENCES version(id)
) with (fillfactor=50);

create table app_user (
  id uuid not null,
  username text not null,
  password_hash text not null,
  sessions_valid_from timestamp with time zone default boreas_now() not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  email text,
  constraint app_user_pkey PRIMARY KEY (id),
  constraint app_user_username_unique UNIQUE (username)
);

create table application (
  id uuid not null,
  project_id uuid not null,
  name text not null,
  description text default ''::text not null,
  repository_id uuid,
  repository text,
  type text not null,
  config jsonb default '{}'::jsonb not null,
  archived_at timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  declared boolean default false not null,
  proposal text,
  constraint application_pkey PRIMARY KEY (id),
  constraint application_name UNIQUE (project_id, name),
  constraint application_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint application_repository_id_repository_id_fk FOREIGN KEY (repository_id) REFERENCES repository(id) ON DELETE SET NULL,
  constraint application_type CHECK ((type = ANY (ARRAY['microservice'::text, 'monolith'::text])))
);

create table application_environment (
  application_id uuid not null,
  environment_id uuid not null,
  project_id uuid not null,
  source text not null,
  config jsonb default '{}'::jsonb not null,
  generation bigint default 0 not null,
  created_at timestamp with time zone default boreas_now() not null,
  removed_at timestamp with time zone,
  constraint application_environment_application_id_environment_id_pk PRIMARY KEY (application_id, environment_id),
  constraint application_environment_application_id_application_id_fk FOREIGN KEY (application_id) REFERENCES application(id) ON DELETE CASCADE,
  constraint application_environment_environment_id_environment_id_fk FOREIGN KEY (environment_id) REFERENCES environment(id) ON DELETE CASCADE
);

create table approval (
  id uuid not null,
  project_id uuid not null,
  deployment_id uuid not null,
  user_id uuid not null,
  actor text not null,
  decision text not null,
  plan_hash text not null,
  note text default ''::text not null,
  created_at timestamp with time zone default boreas_now() not null,
  task_id uuid,
  constraint approval_pkey PRIMARY KEY (id),
  constraint approval_once UNIQUE (deployment_id, user_id, plan_hash),
  constraint approval_deployment_id_deployment_id_fk FOREIGN KEY (deployment_id) REFERENCES deployment(id) ON DELETE CASCADE,
  constraint approval_user_id_app_user_id_fk FOREIGN KEY (user_id) REFERENCES app_user(id)
);

create table approval_link (
  id uuid not null,
  project_id uuid not null,
  deployment_id uuid not null,
  task_id uuid,
  user_id uuid not null,
  plan_hash text not null,
  hash bytea not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint approval_link_pkey PRIMARY KEY (id),
  constraint approval_link_hash_unique UNIQUE (hash),
  constraint approval_link_deployment_id_deployment_id_fk FOREIGN KEY (deployment_id) REFERENCES deployment(id) ON DELETE CASCADE,
  constraint approval_link_user_id_app_user_id_fk FOREIGN KEY (user_id) REFERENCES app_user(id) ON DELETE CASCADE
);

create table audit (
  id uuid not null,
  sequence bigint generated always as identity not null,
  project_id uuid not null,
  actor text not null,
  action text not null,
  target text not null,
  detail jsonb default '{}'::jsonb not null,
  ip text,
  seal_number bigint,
  hash text,
  created_at timestamp with time zone default boreas_now() not null,
  constraint audit_pkey PRIMARY KEY (id),
  constraint audit_seal UNIQUE (seal_number),
  constraint audit_sequence UNIQUE (sequence),
  constraint audit_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id)
);

create table blob (
  sha256 text not null,
  size bigint not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint blob_pkey PRIMARY KEY (sha256)
);

create table blob_chunk (
  sha256 text not null,
  index integer not null,
  data bytea not null,
  constraint blob_chunk_sha256_index_pk PRIMARY KEY (sha256, index),
  constraint blob_chunk_sha256_blob_sha256_fk FOREIGN KEY (sha256) REFERENCES blob(sha256) ON DELETE CASCADE
);

create table commit_status (
  id uuid not null,
  project_id uuid not null,
  repository_id uuid not null,
  commit text not null,
  context text not null,
  state text not null,
  description text not null,
  path text not null,
  revision integer default 1 not null,
  status text not null,
  reason jsonb not null,
  attempts integer default 0 not null,
  claim integer default 0 not null,
  run_after timestamp with time zone default boreas_now() not null,
  created_at timestamp with time zone default boreas_now() not null,
  changed_at timestamp with time zone default boreas_now() not null,
  sent_at timestamp with time zone,
  constraint commit_status_pkey PRIMARY KEY (id),
  constraint commit_status_once UNIQUE (repository_id, commit, context),
  constraint commit_status_repository_id_repository_id_fk FOREIGN KEY (repository_id) REFERENCES repository(id) ON DELETE CASCADE,
  constraint commit_status_state CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'success'::text, 'failure'::text, 'cancelled'::text]))),
  constraint commit_status_status CHECK ((status = ANY (ARRAY['waiting'::text, 'sending'::text, 'sent'::text, 'failed'::text])))
);

create table delivery (
  id uuid not null,
  project_id uuid not null,
  repository_id uuid not null,
  delivery_key text not null,
  source text not null,
  event text not null,
  ref text,
  commit text,
  status text not null,
  reason jsonb not null,
  problems jsonb default '[]'::jsonb not null,
  version_id uuid,
  attempts integer default 0 not null,
  run_after timestamp with time zone default boreas_now() not null,
  received_at timestamp with time zone default boreas_now() not null,
  processed_at timestamp with time zone,
  pull jsonb,
  constraint delivery_pkey PRIMARY KEY (id),
  constraint delivery_once UNIQUE (repository_id, delivery_key),
  constraint delivery_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint delivery_repository_id_repository_id_fk FOREIGN KEY (repository_id) REFERENCES repository(id) ON DELETE CASCADE,
  constraint delivery_status CHECK ((status = ANY (ARRAY['received'::text, 'processing'::text, 'processed'::text, 'ignored'::text, 'failed'::text])))
);

create table deployment (
  id uuid not null,
  project_id uuid not null,
  version_id uuid not null,
  environment_id uuid not null,
  status text not null,
  reason jsonb not null,
  applications text[] not null,
  must_in_order text[] not null,
  strategy jsonb,
  manual_approval boolean default false not null,
  approvals_needed integer default 0 not null,
  on_failure text default 'stop'::text not null,
  plan_hash text not null,
  auto_start boolean default false not null,
  cause_task_id uuid,
  error_message text,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  started_at timestamp with time zone,
  completed_at timestamp with time zone,
  logs_removed_at timestamp with time zone,
  retired_at timestamp with time zone,
  rollback_scope text default 'deployment'::text not null,
  only_targets text[],
  reapply boolean default false not null,
  ask_seconds integer,
  ask_default text,
  ask_until timestamp with time zone,
  rollback_seconds integer default 1800 not null,
  rollback_until timestamp with time zone,
  frozen_until timestamp with time zone,
  freeze_override jsonb,
  author_id uuid,
  approvals_since timestamp with time zone,
  strategy_override jsonb,
  removes boolean default false not null,
  constraint deployment_pkey PRIMARY KEY (id),
  constraint deployment_environment_id_environment_id_fk FOREIGN KEY (environment_id) REFERENCES environment(id),
  constraint deployment_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint deployment_version_id_version_id_fk FOREIGN KEY (version_id) REFERENCES version(id),
  constraint deployment_on_failure CHECK ((on_failure = ANY (ARRAY['rollback'::text, 'pause'::text, 'continue'::text, 'stop'::text]))),
  constraint deployment_status CHECK ((status = ANY (ARRAY['pending'::text, 'awaiting_approval'::text, 'running'::text, 'paused'::text, 'cancelling'::text, 'rolling_back'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'rolled_back'::text, 'rollback_failed'::text, 'superseded'::text])))
);

create table deployment_lock (
  application_id uuid not null,
  environment_id uuid not null,
  deployment_id uuid not null,
  constraint deployment_lock_application_id_environment_id_pk PRIMARY KEY (application_id, environment_id),
  constraint deployment_lock_application_id_application_id_fk FOREIGN KEY (application_id) REFERENCES application(id),
  constraint deployment_lock_deployment_id_deployment_id_fk FOREIGN KEY (deployment_id) REFERENCES deployment(id) ON DELETE CASCADE,
  constraint deployment_lock_environment_id_environment_id_fk FOREIGN KEY (environment_id) REFERENCES environment(id)
);

create table enrollment_token (
  id uuid not null,
  project_id uuid not null,
  hash bytea not null,
  kind text not null,
  uses_left bigint not null,
  labels jsonb default '{}'::jsonb not null,
  environment_ids uuid[] default '{}'::uuid[] not null,
  expires_at timestamp with time zone not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  approve_first boolean default false not null,
  constraint enrollment_token_pkey PRIMARY KEY (id),
  constraint enrollment_token_hash_unique UNIQUE (hash),
  constraint enrollment_token_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint enrollment_token_kind CHECK ((kind = ANY (ARRAY['agent'::text, 'operator'::text]))),
  constraint enrollment_token_uses CHECK ((uses_left >= 0))
);

create table environment (
  id uuid not null,
  project_id uuid not null,
  name text not null,
  type text not null,
  region text default ''::text not null,
  config jsonb default '{}'::jsonb not null,
  policy jsonb default '{}'::jsonb not null,
  status text not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  constraint environment_pkey PRIMARY KEY (id),
  constraint environment_name UNIQUE (project_id, name),
  constraint environment_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint environment_status CHECK ((status = ANY (ARRAY['active'::text, 'inactive'::text]))),
  constraint environment_type CHECK ((type = ANY (ARRAY['k8s'::text, 'pm'::text, 'mock'::text])))
);

create table event (
  id bigint generated always as identity not null,
  xid xid8 default pg_current_xact_id() not null,
  project_id uuid not null,
  topic text not null,
  subject_id uuid,
  deployment_id uuid,
  kind text not null,
  data jsonb default '{}'::jsonb not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint event_pkey PRIMARY KEY (id)
);

create table freeze (
  id uuid not null,
  project_id uuid not null,
  environment_id uuid not null,
  applications text[],
  reason text not null,
  override_role text,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone not null,
  ended_by text,
  end_reason text,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint freeze_pkey PRIMARY KEY (id),
  constraint freeze_environment_id_environment_id_fk FOREIGN KEY (environment_id) REFERENCES environment(id) ON DELETE CASCADE,
  constraint freeze_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id)
);

create table frozen_document (
  sha256 text not null,
  content text not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint frozen_document_pkey PRIMARY KEY (sha256)
);

create table idempotency (
  project_id uuid not null,
  actor text not null,
  key text not null,
  request_hash bytea not null,
  status bigint,
  body jsonb,
  created_at timestamp with time zone default boreas_now() not null,
  constraint idempotency_project_id_actor_key_pk PRIMARY KEY (project_id, actor, key)
);

create table leader (
  name text not null,
  holder uuid not null,
  term bigint not null,
  elected_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint leader_pkey PRIMARY KEY (name)
);

create table log_chunk (
  task_id uuid not null,
  attempt integer not null,
  sequence integer not null,
  offset bigint not null,
  data bytea not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint log_chunk_task_id_attempt_sequence_pk PRIMARY KEY (task_id, attempt, sequence),
  constraint log_chunk_offset UNIQUE (task_id, attempt, "offset"),
  constraint log_chunk_task_id_task_id_fk FOREIGN KEY (task_id) REFERENCES task(id) ON DELETE CASCADE
);

create table log_head (
  task_id uuid not null,
  attempt integer not null,
  next_sequence integer default 0 not null,
  bytes bigint default 0 not null,
  dropped_from bigint,
  dropped_to bigint,
  dropped_lines bigint default 0 not null,
  removed_after_days integer,
  constraint log_head_task_id_attempt_pk PRIMARY KEY (task_id, attempt),
  constraint log_head_task_id_task_id_fk FOREIGN KEY (task_id) REFERENCES task(id) ON DELETE CASCADE
);

create table measurement (
  task_id uuid not null,
  number integer not null,
  at timestamp with time zone not null,
  value double precision,
  verdict text not null,
  note text default ''::text not null,
  constraint measurement_task_id_number_pk PRIMARY KEY (task_id, number),
  constraint measurement_task_id_task_id_fk FOREIGN KEY (task_id) REFERENCES task(id) ON DELETE CASCADE,
  constraint measurement_verdict CHECK ((verdict = ANY (ARRAY['pass'::text, 'fail'::text, 'no_data'::text, 'error'::text])))
);

create table member (
  project_id uuid not null,
  user_id uuid not null,
  role text not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint member_project_id_user_id_pk PRIMARY KEY (project_id, user_id),
  constraint member_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint member_user_id_app_user_id_fk FOREIGN KEY (user_id) REFERENCES app_user(id) ON DELETE CASCADE
);

create table notification (
  id uuid not null,
  project_id uuid not null,
  name text not null,
  kind text not null,
  settings jsonb default '{}'::jsonb not null,
  sealed bytea not null,
  language text not null,
  user_id uuid,
  rules jsonb not null,
  enabled boolean not null,
  active_since timestamp with time zone default boreas_now() not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  constraint notification_pkey PRIMARY KEY (id),
  constraint notification_name UNIQUE (project_id, name),
  constraint notification_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint notification_kind CHECK ((kind = ANY (ARRAY['webhook'::text, 'slack'::text, 'lark'::text, 'dingtalk'::text, 'wecom'::text, 'email'::text]))),
  constraint notification_language CHECK ((language = ANY (ARRAY['en'::text, 'zh'::text])))
);

create table notification_delivery (
  id uuid not null,
  project_id uuid not null,
  notification_id uuid not null,
  event_id bigint,
  event text not null,
  items jsonb not null,
  count integer default 1 not null,
  status text not null,
  reason jsonb not null,
  attempts integer default 0 not null,
  run_after timestamp with time zone default boreas_now() not null,
  created_at timestamp with time zone default boreas_now() not null,
  completed_at timestamp with time zone,
  constraint notification_delivery_pkey PRIMARY KEY (id),
  constraint notification_delivery_once UNIQUE (notification_id, event_id),
  constraint notification_delivery_notification_id_notification_id_fk FOREIGN KEY (notification_id) REFERENCES notification(id) ON DELETE CASCADE,
  constraint notification_delivery_status CHECK ((status = ANY (ARRAY['waiting'::text, 'sending'::text, 'sent'::text, 'failed'::text, 'dropped'::text])))
);

create table project (
  id uuid not null,
  name text not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint project_pkey PRIMARY KEY (id),
  constraint project_name_unique UNIQUE (name)
);

create table refresh_token (
  id uuid not null,
  user_id uuid not null,
  family uuid not null,
  hash bytea not null,
  used_at timestamp with time zone,
  expires_at timestamp with time zone not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint refresh_token_pkey PRIMARY KEY (id),
  constraint refresh_token_hash_unique UNIQUE (hash),
  constraint refresh_token_user_id_app_user_id_fk FOREIGN KEY (user_id) REFERENCES app_user(id) ON DELETE CASCADE
);

create table repository (
  id uuid not null,
  project_id uuid not null,
  url text not null,
  provider text not null,
  branch text not null,
  tag_pattern text,
  config_paths text[] not null,
  webhook_secret bytea not null,
  credential bytea,
  poll_seconds integer not null,
  next_poll_at timestamp with time zone,
  last_synced_at timestamp with time zone,
  polled_at timestamp with time zone,
  reason jsonb not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  status_token bytea,
  api_url text,
  discovery text default 'create'::text not null,
  constraint repository_pkey PRIMARY KEY (id),
  constraint repository_url UNIQUE (project_id, url),
  constraint repository_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint repository_provider CHECK ((provider = ANY (ARRAY['github'::text, 'gitlab'::text, 'gitea'::text, 'forgejo'::text, 'bitbucket'::text, 'generic'::text])))
);

create table role (
  project_id uuid not null,
  name text not null,
  base text not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  constraint role_project_id_name_pk PRIMARY KEY (project_id, name),
  constraint role_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint role_base CHECK ((base = ANY (ARRAY['viewer'::text, 'deployer'::text, 'admin'::text])))
);

create table secret (
  id uuid not null,
  project_id uuid not null,
  name text not null,
  environment_id uuid,
  application_id uuid,
  sealed bytea not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  provider text default 'boreas'::text not null,
  reference text,
  rotated_at timestamp with time zone,
  rotated_by text,
  constraint secret_pkey PRIMARY KEY (id),
  constraint secret_scope UNIQUE NULLS NOT DISTINCT (project_id, name, environment_id, application_id),
  constraint secret_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id)
);

create table setting (
  key text not null,
  value jsonb not null,
  updated_at timestamp with time zone default boreas_now() not null,
  constraint setting_pkey PRIMARY KEY (key)
);

create table source_query (
  id uuid not null,
  project_id uuid not null,
  repository_id uuid,
  kind text not null,
  input jsonb not null,
  answer jsonb,
  refusal jsonb,
  claimed_until timestamp with time zone,
  answered_at timestamp with time zone,
  created_at timestamp with time zone default boreas_now() not null,
  constraint source_query_pkey PRIMARY KEY (id),
  constraint source_query_repository_id_repository_id_fk FOREIGN KEY (repository_id) REFERENCES repository(id) ON DELETE CASCADE,
  constraint source_query_kind CHECK ((kind = ANY (ARRAY['contains'::text, 'commits'::text, 'plan'::text])))
);

create table task (
  id uuid not null,
  project_id uuid not null,
  deployment_id uuid not null,
  parent_id uuid,
  environment_id uuid not null,
  app_id uuid,
  name text not null,
  type text not null,
  position integer not null,
  state text not null,
  reason jsonb not null,
  is_rollback boolean default false not null,
  is_leaf boolean not null,
  unmet integer not null,
  open boolean default false not null,
  max_failures integer default 0 not null,
  target_agent_id uuid,
  payload jsonb default '{}'::jsonb not null,
  spec_sha256 text,
  result jsonb,
  attempt integer default 0 not null,
  max_attempts integer default 1 not null,
  losses integer default 0 not null,
  fence bigint default 0 not null,
  agent_id uuid,
  last_agent_id uuid,
  lease_expires_at timestamp with time zone,
  run_after timestamp with time zone default boreas_now() not null,
  state_since timestamp with time zone default boreas_now() not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  started_at timestamp with time zone,
  completed_at timestamp with time zone,
  constraint task_pkey PRIMARY KEY (id),
  constraint task_deployment_id_deployment_id_fk FOREIGN KEY (deployment_id) REFERENCES deployment(id) ON DELETE CASCADE,
  constraint task_blocked CHECK (((state <> 'blocked'::text) OR (unmet > 0))),
  constraint task_final CHECK (((state = ANY (ARRAY['success'::text, 'failed'::text, 'cancelled'::text, 'skipped'::text])) = (completed_at IS NOT NULL))),
  constraint task_lease CHECK (((NOT is_leaf) OR ((state = ANY (ARRAY['leased'::text, 'running'::text, 'cancelling'::text])) = ((agent_id IS NOT NULL) AND (lease_expires_at IS NOT NULL))))),
  constraint task_parent_unleased CHECK ((is_leaf OR ((agent_id IS NULL) AND (lease_expires_at IS NULL)))),
  constraint task_state CHECK ((state = ANY (ARRAY['blocked'::text, 'pending'::text, 'leased'::text, 'running'::text, 'cancelling'::text, 'success'::text, 'failed'::text, 'cancelled'::text, 'skipped'::text]))),
  constraint task_type CHECK ((type = ANY (ARRAY['deploy'::text, 'apply'::text, 'hook'::text, 'gate'::text, 'pause'::text, 'approval'::text, 'rollback'::text]))),
  constraint task_unmet CHECK ((unmet >= 0))
) with (fillfactor=70);

create table task_dependency (
  task_id uuid not null,
  depends_on uuid not null,
  constraint task_dependency_task_id_depends_on_pk PRIMARY KEY (task_id, depends_on),
  constraint task_dependency_depends_on_task_id_fk FOREIGN KEY (depends_on) REFERENCES task(id) ON DELETE CASCADE,
  constraint task_dependency_task_id_task_id_fk FOREIGN KEY (task_id) REFERENCES task(id) ON DELETE CASCADE
);

create table trigger (
  id uuid not null,
  project_id uuid not null,
  repository_id uuid,
  source text not null,
  name text not null,
  position integer default 0 not null,
  kind text not null,
  environment text not null,
  start text not null,
  rule jsonb not null,
  enabled boolean default true not null,
  since timestamp with time zone default boreas_now() not null,
  next_due_at timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  constraint trigger_pkey PRIMARY KEY (id),
  constraint trigger_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint trigger_repository_id_repository_id_fk FOREIGN KEY (repository_id) REFERENCES repository(id) ON DELETE CASCADE,
  constraint trigger_kind CHECK ((kind = ANY (ARRAY['push'::text, 'tag'::text, 'cron'::text, 'deployment'::text, 'api'::text]))),
  constraint trigger_source CHECK ((source = ANY (ARRAY['file'::text, 'api'::text]))),
  constraint trigger_start CHECK ((start = ANY (ARRAY['auto'::text, 'approve'::text, 'manual'::text])))
);

create table trigger_plan (
  repository_id uuid not null,
  commit text not null,
  updated_at timestamp with time zone default boreas_now() not null,
  constraint trigger_plan_pkey PRIMARY KEY (repository_id),
  constraint trigger_plan_repository_id_repository_id_fk FOREIGN KEY (repository_id) REFERENCES repository(id) ON DELETE CASCADE
);

create table trigger_run (
  id uuid not null,
  project_id uuid not null,
  trigger_id uuid,
  trigger text not null,
  environment text not null,
  event text not null,
  outcome text not null,
  reason jsonb not null,
  delivery_id uuid,
  version_id uuid,
  deployment_id uuid,
  cause_deployment_id uuid,
  due_at timestamp with time zone,
  dry_run boolean default false not null,
  wanted text,
  actor text not null,
  created_at timestamp with time zone default boreas_now() not null,
  decided_at timestamp with time zone,
  actor_id uuid,
  constraint trigger_run_pkey PRIMARY KEY (id),
  constraint trigger_run_trigger_id_trigger_id_fk FOREIGN KEY (trigger_id) REFERENCES trigger(id) ON DELETE SET NULL,
  constraint trigger_run_event CHECK ((event = ANY (ARRAY['push'::text, 'tag'::text, 'cron'::text, 'deployment'::text, 'api'::text]))),
  constraint trigger_run_outcome CHECK ((outcome = ANY (ARRAY['waiting'::text, 'fired'::text, 'not_fired'::text])))
);

create table upgrade (
  id uuid not null,
  project_id uuid not null,
  version text not null,
  downgrade boolean default false not null,
  batch integer not null,
  status text not null,
  reason jsonb not null,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  completed_at timestamp with time zone,
  constraint upgrade_pkey PRIMARY KEY (id),
  constraint upgrade_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint upgrade_batch CHECK ((batch > 0)),
  constraint upgrade_status CHECK ((status = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text])))
);

create table upgrade_agent (
  upgrade_id uuid not null,
  agent_id uuid not null,
  position integer not null,
  state text not null,
  reason jsonb not null,
  from_version text default ''::text not null,
  asked_at timestamp with time zone,
  updated_at timestamp with time zone default boreas_now() not null,
  constraint upgrade_agent_upgrade_id_agent_id_pk PRIMARY KEY (upgrade_id, agent_id),
  constraint upgrade_agent_agent_id_agent_id_fk FOREIGN KEY (agent_id) REFERENCES agent(id) ON DELETE CASCADE,
  constraint upgrade_agent_upgrade_id_upgrade_id_fk FOREIGN KEY (upgrade_id) REFERENCES upgrade(id) ON DELETE CASCADE,
  constraint upgrade_agent_state CHECK ((state = ANY (ARRAY['waiting'::text, 'asked'::text, 'succeeded'::text, 'failed'::text, 'skipped'::text, 'cancelled'::text])))
);

create table version (
  id uuid not null,
  project_id uuid not null,
  repository_id uuid,
  repository text default ''::text not null,
  version text not null,
  git_tag text,
  git_commit text,
  description text default ''::text not null,
  status text not null,
  reason jsonb not null,
  builds text not null,
  builds_reason jsonb not null,
  builds_check_at timestamp with time zone,
  app_builds jsonb default '{}'::jsonb not null,
  plan jsonb default '{}'::jsonb not null,
  locked_at timestamp with time zone,
  created_by text not null,
  created_at timestamp with time zone default boreas_now() not null,
  updated_at timestamp with time zone default boreas_now() not null,
  author_email text,
  seen_ref text,
  constraint version_pkey PRIMARY KEY (id),
  constraint version_once UNIQUE (project_id, repository, version),
  constraint version_project_id_project_id_fk FOREIGN KEY (project_id) REFERENCES project(id),
  constraint version_repository_id_repository_id_fk FOREIGN KEY (repository_id) REFERENCES repository(id) ON DELETE SET NULL,
  constraint version_builds CHECK ((builds = ANY (ARRAY['waiting'::text, 'ready'::text, 'failed'::text]))),
  constraint version_status CHECK ((status = ANY (ARRAY['normal'::text, 'revert'::text])))
);

create table version_app (
  version_id uuid not null,
  application_id uuid not null,
  project_id uuid not null,
  changed boolean not null,
  document_sha256 text not null,
  artifacts jsonb default '{}'::jsonb not null,
  bundle jsonb,
  builds text not null,
  builds_reason jsonb not null,
  wait_until timestamp with time zone,
  constraint version_app_version_id_application_id_pk PRIMARY KEY (version_id, application_id),
  constraint version_app_application_id_application_id_fk FOREIGN KEY (application_id) REFERENCES application(id) ON DELETE CASCADE,
  constraint version_app_version_id_version_id_fk FOREIGN KEY (version_id) REFERENCES version(id) ON DELETE CASCADE,
  constraint version_app_builds CHECK ((builds = ANY (ARRAY['waiting'::text, 'ready'::text, 'failed'::text])))
);

CREATE INDEX agent_environment_by_environment ON public.agent_environment USING btree (environment_id);

CREATE INDEX agent_query_by_agent ON public.agent_query USING btree (agent_id);

CREATE INDEX app_state_agent ON public.app_state USING btree (agent_id);

CREATE INDEX app_state_drifted ON public.app_state USING btree (environment_id, application_id) WHERE (drift <> '[]'::jsonb);

CREATE INDEX app_state_version ON public.app_state USING btree (version_id);

CREATE INDEX approval_link_by_deployment ON public.approval_link USING btree (deployment_id);

CREATE INDEX approval_link_by_user ON public.approval_link USING btree (user_id);

CREATE INDEX audit_project ON public.audit USING btree (project_id, id);

CREATE INDEX commit_status_due ON public.commit_status USING btree (run_after) WHERE (status = ANY (ARRAY['waiting'::text, 'sending'::text]));

CREATE INDEX commit_status_recent ON public.commit_status USING btree (repository_id, id);

CREATE INDEX delivery_open ON public.delivery USING btree (run_after) WHERE (status = ANY (ARRAY['received'::text, 'processing'::text]));

CREATE INDEX delivery_recent ON public.delivery USING btree (repository_id, id);

CREATE INDEX deployment_by_environment ON public.deployment USING btree (environment_id, id);

CREATE INDEX deployment_ended ON public.deployment USING btree (environment_id, completed_at);

CREATE INDEX deployment_lock_by_deployment ON public.deployment_lock USING btree (deployment_id);

CREATE INDEX deployment_open ON public.deployment USING btree (environment_id, status) WHERE (status = ANY (ARRAY['pending'::text, 'awaiting_approval'::text, 'running'::text, 'paused'::text, 'cancelling'::text, 'rolling_back'::text]));

CREATE INDEX deployment_recent ON public.deployment USING btree (project_id, id);

CREATE INDEX deployment_retired ON public.deployment USING btree (id) WHERE (retired_at IS NOT NULL);

CREATE INDEX deployment_version ON public.deployment USING btree (version_id);

CREATE INDEX event_by_deployment ON public.event USING btree (deployment_id, id) WHERE (deployment_id IS NOT NULL);

CREATE INDEX event_cursor ON public.event USING btree (xid, id);

CREATE INDEX freeze_by_environment ON public."freeze" USING btree (environment_id, ends_at);

CREATE INDEX notification_delivery_due ON public.notification_delivery USING btree (run_after) WHERE (status = ANY (ARRAY['waiting'::text, 'sending'::text]));

CREATE INDEX notification_delivery_recent ON public.notification_delivery USING btree (notification_id, id);

CREATE INDEX refresh_token_family ON public.refresh_token USING btree (family);

CREATE INDEX repository_poll ON public.repository USING btree (next_poll_at);

CREATE INDEX source_query_of_repository ON public.source_query USING btree (repository_id);

CREATE INDEX task_approval ON public.task USING btree (run_after) WHERE ((state = 'pending'::text) AND (type = 'approval'::text));

CREATE INDEX task_by_deployment ON public.task USING btree (deployment_id, "position");

CREATE INDEX task_by_parent ON public.task USING btree (parent_id) WHERE (parent_id IS NOT NULL);

CREATE INDEX task_cancelling ON public.task USING btree (agent_id) WHERE (state = 'cancelling'::text);

CREATE INDEX task_claim_any ON public.task USING btree (environment_id, "position", id) WHERE ((state = 'pending'::text) AND open AND is_leaf AND (target_agent_id IS NULL));

CREATE INDEX task_claim_target ON public.task USING btree (target_agent_id, "position", id) WHERE ((state = 'pending'::text) AND open AND is_leaf AND (target_agent_id IS NOT NULL));

CREATE INDEX task_dependency_dependents ON public.task_dependency USING btree (depends_on);

CREATE INDEX task_failed ON public.task USING btree (deployment_id) WHERE (state = 'failed'::text);

CREATE INDEX task_held_by ON public.task USING btree (agent_id) WHERE (agent_id IS NOT NULL);

CREATE INDEX task_left_out ON public.task USING btree (target_agent_id) WHERE ((state = 'skipped'::text) AND (payload ? 'leftOut'::text));

CREATE INDEX task_rollback ON public.task USING btree (id) WHERE ((state = 'pending'::text) AND (type = 'rollback'::text));

CREATE INDEX task_trouble ON public.task USING btree (project_id, state, id) WHERE (state = ANY (ARRAY['failed'::text, 'cancelled'::text, 'skipped'::text]));

CREATE INDEX task_wait ON public.task USING btree (run_after) WHERE ((state = 'pending'::text) AND (type = ANY (ARRAY['pause'::text, 'gate'::text])));

CREATE INDEX trigger_by_repository ON public.trigger USING btree (repository_id);

CREATE INDEX trigger_due ON public.trigger USING btree (next_due_at) WHERE (enabled AND (next_due_at IS NOT NULL));

CREATE UNIQUE INDEX trigger_name ON public.trigger USING btree (project_id, source, COALESCE(repository_id, '00000000-0000-0000-0000-000000000000'::uuid), name);

CREATE INDEX trigger_run_by_delivery ON public.trigger_run USING btree (delivery_id) WHERE (delivery_id IS NOT NULL);

CREATE INDEX trigger_run_by_version ON public.trigger_run USING btree (version_id, id) WHERE (version_id IS NOT NULL);

CREATE UNIQUE INDEX trigger_run_delivery ON public.trigger_run USING btree (trigger_id, delivery_id) WHERE (delivery_id IS NOT NULL);

CREATE UNIQUE INDEX trigger_run_end ON public.trigger_run USING btree (trigger_id, cause_deployment_id) WHERE (cause_deployment_id IS NOT NULL);

CREATE INDEX trigger_run_recent ON public.trigger_run USING btree (trigger_id, id);

CREATE UNIQUE INDEX trigger_run_tick ON public.trigger_run USING btree (trigger_id, due_at) WHERE (event = 'cron'::text);

CREATE INDEX trigger_run_waiting ON public.trigger_run USING btree (due_at) WHERE (outcome = 'waiting'::text);

CREATE INDEX upgrade_agent_asked ON public.upgrade_agent USING btree (agent_id) WHERE (state = 'asked'::text);

CREATE INDEX upgrade_recent ON public.upgrade USING btree (project_id, id);

CREATE INDEX upgrade_running ON public.upgrade USING btree (id) WHERE (status = 'running'::text);

CREATE INDEX version_builds_due ON public.version USING btree (builds_check_at) WHERE (builds = 'waiting'::text);

CREATE INDEX version_commit ON public.version USING btree (repository_id, git_commit);

CREATE OR REPLACE FUNCTION public.boreas_now()
 RETURNS timestamp with time zone
 LANGUAGE sql
 PARALLEL RESTRICTED
AS $function$
  select coalesce(nullif(current_setting('boreas.now', true), '')::timestamptz, clock_timestamp())
$function$;

CREATE OR REPLACE FUNCTION public.boreas_settled_xid()
 RETURNS xid8
 LANGUAGE plpgsql
AS $function$
declare
  seen constant pg_snapshot := pg_current_snapshot();
  oldest xid8;
begin
  if pg_snapshot_xmin(seen) = pg_snapshot_xmax(seen) then
    return pg_snapshot_xmax(seen);
  end if;
  perform pg_stat_clear_snapshot(); -- a transaction is shown the same list each time otherwise
  select running into oldest from pg_snapshot_xip(seen) running
    where running::xid in (select backend_xid from pg_stat_activity where datname = current_database() and backend_xid is not null)
    order by running limit 1;
  return least(oldest, pg_snapshot_xmax(seen), pg_current_xact_id_if_assigned());
end $function$;
