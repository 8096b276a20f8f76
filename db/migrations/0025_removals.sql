ALTER TABLE "application_environment" ADD COLUMN "removed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "removes" boolean DEFAULT false NOT NULL;