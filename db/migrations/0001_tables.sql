CREATE TABLE "agent" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"embedded" boolean DEFAULT false NOT NULL,
	"public_key" text,
	"sealing_key" text,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"facts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"versions" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"slots" integer DEFAULT 0 NOT NULL,
	"status" text NOT NULL,
	"session_id" uuid,
	"reason" jsonb NOT NULL,
	"cordoned" boolean DEFAULT false NOT NULL,
	"last_seen_at" timestamp with time zone,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "agent_name" UNIQUE("project_id","name"),
	CONSTRAINT "agent_status" CHECK (status in ('connected', 'disconnected', 'revoked')),
	CONSTRAINT "agent_identity" CHECK (embedded or (public_key is not null and sealing_key is not null))
);
--> statement-breakpoint
CREATE TABLE "agent_environment" (
	"agent_id" uuid NOT NULL,
	"environment_id" uuid NOT NULL,
	CONSTRAINT "agent_environment_agent_id_environment_id_pk" PRIMARY KEY("agent_id","environment_id")
);
--> statement-breakpoint
CREATE TABLE "api_token" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"role" text NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "api_token_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "app_state" (
	"environment_id" uuid NOT NULL,
	"application_id" uuid NOT NULL,
	"target" text NOT NULL,
	"project_id" uuid NOT NULL,
	"agent_id" uuid,
	"version_id" uuid,
	"spec_sha256" text,
	"health" text NOT NULL,
	"sync" text NOT NULL,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "app_state_environment_id_application_id_target_pk" PRIMARY KEY("environment_id","application_id","target")
);
--> statement-breakpoint
CREATE TABLE "app_user" (
	"id" uuid PRIMARY KEY NOT NULL,
	"username" text NOT NULL,
	"password_hash" text NOT NULL,
	"sessions_valid_from" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "app_user_username_unique" UNIQUE("username")
);
--> statement-breakpoint
CREATE TABLE "application" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"repository_id" uuid,
	"repository" text,
	"type" text NOT NULL,
	"config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"archived_at" timestamp with time zone,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "application_name" UNIQUE("project_id","name"),
	CONSTRAINT "application_type" CHECK (type in ('microservice', 'monolith'))
);
--> statement-breakpoint
CREATE TABLE "application_environment" (
	"application_id" uuid NOT NULL,
	"environment_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"source" text NOT NULL,
	"config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"generation" bigint DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "application_environment_application_id_environment_id_pk" PRIMARY KEY("application_id","environment_id")
);
--> statement-breakpoint
CREATE TABLE "approval" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"deployment_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"actor" text NOT NULL,
	"decision" text NOT NULL,
	"plan_hash" text NOT NULL,
	"note" text DEFAULT '' NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "approval_once" UNIQUE("deployment_id","user_id","plan_hash")
);
--> statement-breakpoint
CREATE TABLE "audit" (
	"id" uuid PRIMARY KEY NOT NULL,
	"sequence" bigint GENERATED ALWAYS AS IDENTITY (sequence name "audit_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"project_id" uuid NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"target" text NOT NULL,
	"detail" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"ip" text,
	"seal_number" bigint,
	"hash" text,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "audit_seal" UNIQUE("seal_number"),
	CONSTRAINT "audit_sequence" UNIQUE("sequence")
);
--> statement-breakpoint
CREATE TABLE "blob" (
	"sha256" text PRIMARY KEY NOT NULL,
	"size" bigint NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "blob_chunk" (
	"sha256" text NOT NULL,
	"index" integer NOT NULL,
	"data" "bytea" NOT NULL,
	CONSTRAINT "blob_chunk_sha256_index_pk" PRIMARY KEY("sha256","index")
);
--> statement-breakpoint
CREATE TABLE "delivery" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"delivery_key" text NOT NULL,
	"source" text NOT NULL,
	"event" text NOT NULL,
	"ref" text,
	"commit" text,
	"status" text NOT NULL,
	"reason" jsonb NOT NULL,
	"problems" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"version_id" uuid,
	"attempts" integer DEFAULT 0 NOT NULL,
	"run_after" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"received_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"processed_at" timestamp with time zone,
	CONSTRAINT "delivery_once" UNIQUE("repository_id","delivery_key"),
	CONSTRAINT "delivery_status" CHECK (status in ('received', 'processing', 'processed', 'ignored', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "deployment" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"version_id" uuid NOT NULL,
	"environment_id" uuid NOT NULL,
	"status" text NOT NULL,
	"reason" jsonb NOT NULL,
	"applications" text[] NOT NULL,
	"must_in_order" text[] NOT NULL,
	"strategy" jsonb,
	"manual_approval" boolean DEFAULT false NOT NULL,
	"approvals_needed" integer DEFAULT 0 NOT NULL,
	"on_failure" text DEFAULT 'stop' NOT NULL,
	"plan_hash" text NOT NULL,
	"auto_start" boolean DEFAULT false NOT NULL,
	"cause_task_id" uuid,
	"error_message" text,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	CONSTRAINT "deployment_status" CHECK (status in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back', 'completed', 'failed', 'cancelled', 'rolled_back', 'rollback_failed', 'superseded')),
	CONSTRAINT "deployment_on_failure" CHECK (on_failure in ('rollback', 'pause', 'continue', 'stop'))
);
--> statement-breakpoint
CREATE TABLE "deployment_lock" (
	"application_id" uuid NOT NULL,
	"environment_id" uuid NOT NULL,
	"deployment_id" uuid NOT NULL,
	CONSTRAINT "deployment_lock_application_id_environment_id_pk" PRIMARY KEY("application_id","environment_id")
);
--> statement-breakpoint
CREATE TABLE "enrollment_token" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"hash" "bytea" NOT NULL,
	"kind" text NOT NULL,
	"uses_left" bigint NOT NULL,
	"labels" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"environment_ids" uuid[] DEFAULT '{}' NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "enrollment_token_hash_unique" UNIQUE("hash"),
	CONSTRAINT "enrollment_token_uses" CHECK ("enrollment_token"."uses_left" >= 0),
	CONSTRAINT "enrollment_token_kind" CHECK (kind in ('agent', 'operator'))
);
--> statement-breakpoint
CREATE TABLE "environment" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"type" text NOT NULL,
	"region" text DEFAULT '' NOT NULL,
	"config" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"policy" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"status" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "environment_name" UNIQUE("project_id","name"),
	CONSTRAINT "environment_type" CHECK (type in ('k8s', 'pm', 'mock')),
	CONSTRAINT "environment_status" CHECK (status in ('active', 'inactive'))
);
--> statement-breakpoint
CREATE TABLE "event" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "event_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"xid" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"project_id" uuid NOT NULL,
	"topic" text NOT NULL,
	"subject_id" uuid,
	"deployment_id" uuid,
	"kind" text NOT NULL,
	"data" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "frozen_document" (
	"sha256" text PRIMARY KEY NOT NULL,
	"content" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "idempotency" (
	"project_id" uuid NOT NULL,
	"actor" text NOT NULL,
	"key" text NOT NULL,
	"request_hash" "bytea" NOT NULL,
	"status" bigint,
	"body" jsonb,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "idempotency_project_id_actor_key_pk" PRIMARY KEY("project_id","actor","key")
);
--> statement-breakpoint
CREATE TABLE "log_chunk" (
	"task_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"sequence" integer NOT NULL,
	"offset" bigint NOT NULL,
	"data" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "log_chunk_task_id_attempt_sequence_pk" PRIMARY KEY("task_id","attempt","sequence"),
	CONSTRAINT "log_chunk_offset" UNIQUE("task_id","attempt","offset")
);
--> statement-breakpoint
CREATE TABLE "log_head" (
	"task_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"next_sequence" integer DEFAULT 0 NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "log_head_task_id_attempt_pk" PRIMARY KEY("task_id","attempt")
);
--> statement-breakpoint
CREATE TABLE "member" (
	"project_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "member_project_id_user_id_pk" PRIMARY KEY("project_id","user_id")
);
--> statement-breakpoint
CREATE TABLE "project" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "project_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "refresh_token" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"family" uuid NOT NULL,
	"hash" "bytea" NOT NULL,
	"used_at" timestamp with time zone,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "refresh_token_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "repository" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"url" text NOT NULL,
	"provider" text NOT NULL,
	"branch" text NOT NULL,
	"tag_pattern" text,
	"config_paths" text[] NOT NULL,
	"webhook_secret" "bytea" NOT NULL,
	"credential" "bytea",
	"poll_seconds" integer NOT NULL,
	"next_poll_at" timestamp with time zone,
	"last_synced_at" timestamp with time zone,
	"polled_at" timestamp with time zone,
	"reason" jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "repository_url" UNIQUE("project_id","url"),
	CONSTRAINT "repository_provider" CHECK (provider in ('github', 'gitlab', 'gitea', 'forgejo', 'bitbucket', 'generic'))
);
--> statement-breakpoint
CREATE TABLE "secret" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"environment_id" uuid,
	"application_id" uuid,
	"sealed" "bytea" NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "secret_scope" UNIQUE NULLS NOT DISTINCT("project_id","name","environment_id","application_id")
);
--> statement-breakpoint
CREATE TABLE "setting" (
	"key" text PRIMARY KEY NOT NULL,
	"value" jsonb NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "task" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"deployment_id" uuid NOT NULL,
	"parent_id" uuid,
	"environment_id" uuid NOT NULL,
	"app_id" uuid,
	"name" text NOT NULL,
	"type" text NOT NULL,
	"position" integer NOT NULL,
	"state" text NOT NULL,
	"reason" jsonb NOT NULL,
	"is_rollback" boolean DEFAULT false NOT NULL,
	"is_leaf" boolean NOT NULL,
	"unmet" integer NOT NULL,
	"open" boolean DEFAULT false NOT NULL,
	"max_failures" integer DEFAULT 0 NOT NULL,
	"target_agent_id" uuid,
	"payload" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"spec_sha256" text,
	"result" jsonb,
	"attempt" integer DEFAULT 0 NOT NULL,
	"max_attempts" integer DEFAULT 1 NOT NULL,
	"losses" integer DEFAULT 0 NOT NULL,
	"fence" bigint DEFAULT 0 NOT NULL,
	"agent_id" uuid,
	"last_agent_id" uuid,
	"lease_expires_at" timestamp with time zone,
	"run_after" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"state_since" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"started_at" timestamp with time zone,
	"completed_at" timestamp with time zone,
	CONSTRAINT "task_state" CHECK (state in ('blocked', 'pending', 'leased', 'running', 'cancelling', 'success', 'failed', 'cancelled', 'skipped')),
	CONSTRAINT "task_type" CHECK (type in ('deploy', 'apply', 'hook', 'gate', 'pause', 'approval', 'rollback')),
	CONSTRAINT "task_unmet" CHECK (unmet >= 0),
	CONSTRAINT "task_blocked" CHECK (state <> 'blocked' or unmet > 0),
	CONSTRAINT "task_lease" CHECK (not is_leaf or (state in ('leased', 'running', 'cancelling')) = (agent_id is not null and lease_expires_at is not null)),
	CONSTRAINT "task_parent_unleased" CHECK (is_leaf or (agent_id is null and lease_expires_at is null)),
	CONSTRAINT "task_final" CHECK ((state in ('success', 'failed', 'cancelled', 'skipped')) = (completed_at is not null))
);
--> statement-breakpoint
CREATE TABLE "task_dependency" (
	"task_id" uuid NOT NULL,
	"depends_on" uuid NOT NULL,
	CONSTRAINT "task_dependency_task_id_depends_on_pk" PRIMARY KEY("task_id","depends_on")
);
--> statement-breakpoint
CREATE TABLE "version" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"repository_id" uuid,
	"repository" text DEFAULT '' NOT NULL,
	"version" text NOT NULL,
	"git_tag" text,
	"git_commit" text,
	"description" text DEFAULT '' NOT NULL,
	"status" text NOT NULL,
	"reason" jsonb NOT NULL,
	"builds" text NOT NULL,
	"builds_reason" jsonb NOT NULL,
	"builds_check_at" timestamp with time zone,
	"app_builds" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"plan" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"locked_at" timestamp with time zone,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "version_once" UNIQUE("project_id","repository","version"),
	CONSTRAINT "version_status" CHECK (status in ('normal', 'revert')),
	CONSTRAINT "version_builds" CHECK (builds in ('waiting', 'ready', 'failed'))
);
--> statement-breakpoint
CREATE TABLE "version_app" (
	"version_id" uuid NOT NULL,
	"application_id" uuid NOT NULL,
	"project_id" uuid NOT NULL,
	"changed" boolean NOT NULL,
	"document_sha256" text NOT NULL,
	"artifacts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"bundle" jsonb,
	"builds" text NOT NULL,
	"builds_reason" jsonb NOT NULL,
	"wait_until" timestamp with time zone,
	CONSTRAINT "version_app_version_id_application_id_pk" PRIMARY KEY("version_id","application_id"),
	CONSTRAINT "version_app_builds" CHECK (builds in ('waiting', 'ready', 'failed'))
);
--> statement-breakpoint
ALTER TABLE "agent" ADD CONSTRAINT "agent_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_environment" ADD CONSTRAINT "agent_environment_agent_id_agent_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agent"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_environment" ADD CONSTRAINT "agent_environment_environment_id_environment_id_fk" FOREIGN KEY ("environment_id") REFERENCES "public"."environment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_token" ADD CONSTRAINT "api_token_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_token" ADD CONSTRAINT "api_token_user_id_app_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."app_user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "app_state" ADD CONSTRAINT "app_state_environment_id_environment_id_fk" FOREIGN KEY ("environment_id") REFERENCES "public"."environment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "app_state" ADD CONSTRAINT "app_state_application_id_application_id_fk" FOREIGN KEY ("application_id") REFERENCES "public"."application"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "app_state" ADD CONSTRAINT "app_state_version_id_version_id_fk" FOREIGN KEY ("version_id") REFERENCES "public"."version"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "application" ADD CONSTRAINT "application_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "application" ADD CONSTRAINT "application_repository_id_repository_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repository"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "application_environment" ADD CONSTRAINT "application_environment_application_id_application_id_fk" FOREIGN KEY ("application_id") REFERENCES "public"."application"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "application_environment" ADD CONSTRAINT "application_environment_environment_id_environment_id_fk" FOREIGN KEY ("environment_id") REFERENCES "public"."environment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "approval" ADD CONSTRAINT "approval_deployment_id_deployment_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "approval" ADD CONSTRAINT "approval_user_id_app_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."app_user"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "audit" ADD CONSTRAINT "audit_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "blob_chunk" ADD CONSTRAINT "blob_chunk_sha256_blob_sha256_fk" FOREIGN KEY ("sha256") REFERENCES "public"."blob"("sha256") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "delivery" ADD CONSTRAINT "delivery_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "delivery" ADD CONSTRAINT "delivery_repository_id_repository_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repository"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployment" ADD CONSTRAINT "deployment_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployment" ADD CONSTRAINT "deployment_version_id_version_id_fk" FOREIGN KEY ("version_id") REFERENCES "public"."version"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployment" ADD CONSTRAINT "deployment_environment_id_environment_id_fk" FOREIGN KEY ("environment_id") REFERENCES "public"."environment"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployment_lock" ADD CONSTRAINT "deployment_lock_application_id_application_id_fk" FOREIGN KEY ("application_id") REFERENCES "public"."application"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployment_lock" ADD CONSTRAINT "deployment_lock_environment_id_environment_id_fk" FOREIGN KEY ("environment_id") REFERENCES "public"."environment"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployment_lock" ADD CONSTRAINT "deployment_lock_deployment_id_deployment_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "enrollment_token" ADD CONSTRAINT "enrollment_token_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "environment" ADD CONSTRAINT "environment_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "log_chunk" ADD CONSTRAINT "log_chunk_task_id_task_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."task"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "log_head" ADD CONSTRAINT "log_head_task_id_task_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."task"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "member" ADD CONSTRAINT "member_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "member" ADD CONSTRAINT "member_user_id_app_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."app_user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "refresh_token" ADD CONSTRAINT "refresh_token_user_id_app_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."app_user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repository" ADD CONSTRAINT "repository_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "secret" ADD CONSTRAINT "secret_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task" ADD CONSTRAINT "task_deployment_id_deployment_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_dependency" ADD CONSTRAINT "task_dependency_task_id_task_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."task"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_dependency" ADD CONSTRAINT "task_dependency_depends_on_task_id_fk" FOREIGN KEY ("depends_on") REFERENCES "public"."task"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "version" ADD CONSTRAINT "version_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "version" ADD CONSTRAINT "version_repository_id_repository_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repository"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "version_app" ADD CONSTRAINT "version_app_version_id_version_id_fk" FOREIGN KEY ("version_id") REFERENCES "public"."version"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "version_app" ADD CONSTRAINT "version_app_application_id_application_id_fk" FOREIGN KEY ("application_id") REFERENCES "public"."application"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "agent_environment_by_environment" ON "agent_environment" USING btree ("environment_id");--> statement-breakpoint
CREATE INDEX "app_state_version" ON "app_state" USING btree ("version_id");--> statement-breakpoint
CREATE INDEX "audit_project" ON "audit" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "delivery_open" ON "delivery" USING btree ("run_after") WHERE status in ('received', 'processing');--> statement-breakpoint
CREATE INDEX "delivery_recent" ON "delivery" USING btree ("repository_id","id");--> statement-breakpoint
CREATE INDEX "deployment_recent" ON "deployment" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "deployment_open" ON "deployment" USING btree ("environment_id","status") WHERE status in ('pending', 'awaiting_approval', 'running', 'paused', 'cancelling', 'rolling_back');--> statement-breakpoint
CREATE INDEX "deployment_version" ON "deployment" USING btree ("version_id");--> statement-breakpoint
CREATE INDEX "deployment_lock_by_deployment" ON "deployment_lock" USING btree ("deployment_id");--> statement-breakpoint
CREATE INDEX "event_cursor" ON "event" USING btree ("xid","id");--> statement-breakpoint
CREATE INDEX "event_by_deployment" ON "event" USING btree ("deployment_id","id") WHERE deployment_id is not null;--> statement-breakpoint
CREATE INDEX "refresh_token_family" ON "refresh_token" USING btree ("family");--> statement-breakpoint
CREATE INDEX "repository_poll" ON "repository" USING btree ("next_poll_at");--> statement-breakpoint
CREATE INDEX "task_by_deployment" ON "task" USING btree ("deployment_id","position");--> statement-breakpoint
CREATE INDEX "task_by_parent" ON "task" USING btree ("parent_id") WHERE parent_id is not null;--> statement-breakpoint
CREATE INDEX "task_claim_target" ON "task" USING btree ("target_agent_id","position","id") WHERE state = 'pending' and open and is_leaf and target_agent_id is not null;--> statement-breakpoint
CREATE INDEX "task_claim_any" ON "task" USING btree ("environment_id","position","id") WHERE state = 'pending' and open and is_leaf and target_agent_id is null;--> statement-breakpoint
CREATE INDEX "task_trouble" ON "task" USING btree ("project_id","state","id") WHERE state in ('failed', 'cancelled', 'skipped');--> statement-breakpoint
CREATE INDEX "task_lease_end" ON "task" USING btree ("lease_expires_at") WHERE lease_expires_at is not null;--> statement-breakpoint
CREATE INDEX "task_held_by" ON "task" USING btree ("agent_id") WHERE agent_id is not null;--> statement-breakpoint
CREATE INDEX "task_timer" ON "task" USING btree ("run_after") WHERE state = 'pending' and open and type = 'pause';--> statement-breakpoint
CREATE INDEX "task_dependency_dependents" ON "task_dependency" USING btree ("depends_on");--> statement-breakpoint
CREATE INDEX "version_builds_due" ON "version" USING btree ("builds_check_at") WHERE builds = 'waiting';--> statement-breakpoint
CREATE INDEX "version_commit" ON "version" USING btree ("repository_id","git_commit");