ALTER TABLE "deployment" ADD COLUMN "logs_removed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "retired_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "log_head" ADD COLUMN "removed_after_days" integer;--> statement-breakpoint
CREATE INDEX "deployment_by_environment" ON "deployment" USING btree ("environment_id","id");--> statement-breakpoint
CREATE INDEX "deployment_retired" ON "deployment" USING btree ("id") WHERE retired_at is not null;