ALTER TABLE "deployment" ADD COLUMN "rollback_scope" text DEFAULT 'deployment' NOT NULL;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "only_targets" text[];