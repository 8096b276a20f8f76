CREATE TABLE "commit_status" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"commit" text NOT NULL,
	"context" text NOT NULL,
	"state" text NOT NULL,
	"description" text NOT NULL,
	"path" text NOT NULL,
	"revision" integer DEFAULT 1 NOT NULL,
	"status" text NOT NULL,
	"reason" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"claim" integer DEFAULT 0 NOT NULL,
	"run_after" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"changed_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"sent_at" timestamp with time zone,
	CONSTRAINT "commit_status_once" UNIQUE("repository_id","commit","context"),
	CONSTRAINT "commit_status_state" CHECK (state in ('pending', 'running', 'success', 'failure', 'cancelled')),
	CONSTRAINT "commit_status_status" CHECK (status in ('waiting', 'sending', 'sent', 'failed'))
);
--> statement-breakpoint
ALTER TABLE "commit_status" ADD CONSTRAINT "commit_status_repository_id_repository_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repository"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "commit_status_due" ON "commit_status" USING btree ("run_after") WHERE status in ('waiting', 'sending');--> statement-breakpoint
CREATE INDEX "commit_status_recent" ON "commit_status" USING btree ("repository_id","id");