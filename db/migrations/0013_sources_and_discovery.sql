CREATE TABLE "source_query" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"repository_id" uuid,
	"kind" text NOT NULL,
	"input" jsonb NOT NULL,
	"answer" jsonb,
	"refusal" jsonb,
	"claimed_until" timestamp with time zone,
	"answered_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "source_query_kind" CHECK (kind in ('contains', 'commits', 'plan'))
);
--> statement-breakpoint
ALTER TABLE "application" ADD COLUMN "declared" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "application" ADD COLUMN "proposal" text;--> statement-breakpoint
ALTER TABLE "delivery" ADD COLUMN "pull" jsonb;--> statement-breakpoint
ALTER TABLE "repository" ADD COLUMN "status_token" "bytea";--> statement-breakpoint
ALTER TABLE "repository" ADD COLUMN "api_url" text;--> statement-breakpoint
ALTER TABLE "repository" ADD COLUMN "discovery" text DEFAULT 'create' NOT NULL;--> statement-breakpoint
ALTER TABLE "source_query" ADD CONSTRAINT "source_query_repository_id_repository_id_fk" FOREIGN KEY ("repository_id") REFERENCES "public"."repository"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "source_query_of_repository" ON "source_query" USING btree ("repository_id");