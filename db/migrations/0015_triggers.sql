CREATE TABLE "trigger" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"repository_id" uuid,
	"source" text NOT NULL,
	"name" text NOT NULL,
	"position" integer DEFAULT 0 NOT NULL,
	"kind" text NOT NULL,
	"environment" text NOT NULL,
	"start" text NOT NULL,
	"rule" jsonb NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"since" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"next_due_at" timestamp with time zone,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "trigger_source" CHECK (source in ('file', 'api')),
	CONSTRAINT "trigger_kind" CHECK (kind in ('push', 'tag', 'cron', 'deployment', 'api')),
	CONSTRAINT "trigger_start" CHECK (start in ('auto', 'approve', 'manual'))
);
--> statement-breakpoint
CREATE TABLE "trigger_plan" (
	"repository_id" uuid PRIMARY KEY NOT NULL,
	"commit" text NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "trigger_run" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"trigger_id" uuid,
	"trigger" text NOT NULL,
	"environment" text NOT NULL,
	"event" text NOT NULL,
	"outcome" text NOT NULL,
	"reason" jsonb NOT NULL,
	"delivery_id" uuid,
	"version_id" uuid,
	"deployment_id" uuid,
	"cause_deployment_id" uuid,
	"due_at" timestamp with time zone,
	"dry_run" boolean DEFAULT false NOT NULL,
	"wanted" text,
	"actor" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"decided_at" timestamp with time zone,
	CONSTRAINT "trigger_run_event" CHECK (event in ('push', 'tag', 'cron', 'deployment', 'api')),
	CONSTRAINT "trigger_run_outcome" CHECK (outcome in ('waiting', 'fired', 'not_fired'))
);
--> statement-breakpoint
ALTER TABLE "trigger" ADD CONSTRAINT "trigger_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "trigger" ADD CONSTRAINT "trigger_repository_id_repository_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repository"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "trigger_plan" ADD CONSTRAINT "trigger_plan_repository_id_repository_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repository"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "trigger_run" ADD CONSTRAINT "trigger_run_trigger_id_trigger_id_fk" FOREIGN KEY ("trigger_id") REFERENCES "public"."trigger"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "trigger_name" ON "trigger" USING btree ("project_id","source",coalesce(repository_id, '00000000-0000-0000-0000-000000000000'::uuid),"name");--> statement-breakpoint
CREATE INDEX "trigger_by_repository" ON "trigger" USING btree ("repository_id");--> statement-breakpoint
CREATE INDEX "trigger_due" ON "trigger" USING btree ("next_due_at") WHERE enabled and next_due_at is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "trigger_run_tick" ON "trigger_run" USING btree ("trigger_id","due_at") WHERE event = 'cron';--> statement-breakpoint
CREATE UNIQUE INDEX "trigger_run_delivery" ON "trigger_run" USING btree ("trigger_id","delivery_id") WHERE delivery_id is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "trigger_run_end" ON "trigger_run" USING btree ("trigger_id","cause_deployment_id") WHERE cause_deployment_id is not null;--> statement-breakpoint
CREATE INDEX "trigger_run_recent" ON "trigger_run" USING btree ("trigger_id","id");--> statement-breakpoint
CREATE INDEX "trigger_run_by_delivery" ON "trigger_run" USING btree ("delivery_id") WHERE delivery_id is not null;--> statement-breakpoint
CREATE INDEX "trigger_run_by_version" ON "trigger_run" USING btree ("version_id","id") WHERE version_id is not null;--> statement-breakpoint
CREATE INDEX "trigger_run_waiting" ON "trigger_run" USING btree ("due_at") WHERE outcome = 'waiting';