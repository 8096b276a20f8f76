ALTER TABLE "deployment" ADD COLUMN "strategy_override" jsonb;--> statement-breakpoint
ALTER TABLE "version" ADD COLUMN "seen_ref" text;--> statement-breakpoint
-- What deliveries brought in before this column was there.
UPDATE "version" v SET "seen_ref" = d."ref"
  FROM (SELECT DISTINCT ON ("version_id") "version_id", "ref" FROM "delivery" WHERE "version_id" IS NOT NULL ORDER BY "version_id", "id") d
  WHERE d."version_id" = v."id";--> statement-breakpoint
-- Their deliveries may be cleared away: only a recorded commit knows its author, and its name says which ref it came from.
UPDATE "version" SET "seen_ref" = CASE WHEN "git_tag" = "version" THEN 'refs/tags/' || "git_tag"
    ELSE 'refs/heads/' || regexp_replace("version", '-[0-9a-f]{12}$', '') END
  WHERE "seen_ref" IS NULL AND "author_email" IS NOT NULL;
