CREATE TABLE "freeze" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"environment_id" uuid NOT NULL,
	"applications" text[],
	"reason" text NOT NULL,
	"override_role" text,
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"ended_by" text,
	"end_reason" text,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "ask_seconds" integer;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "ask_default" text;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "ask_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "rollback_seconds" integer DEFAULT 1800 NOT NULL;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "rollback_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "frozen_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "freeze_override" jsonb;--> statement-breakpoint
ALTER TABLE "freeze" ADD CONSTRAINT "freeze_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "freeze" ADD CONSTRAINT "freeze_environment_id_environment_id_fk" FOREIGN KEY ("environment_id") REFERENCES "public"."environment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "freeze_by_environment" ON "freeze" USING btree ("environment_id","ends_at");