-- Of 0023, in a file of its own: no table is held while rows are written.
-- What was recorded from a commit before this column was there: only that knows its author or its Plan. A delivery may
-- also name a version that was posted, and that is of no ref.
UPDATE "version" v SET "seen_ref" = d."ref"
  FROM (SELECT DISTINCT ON ("version_id") "version_id", "ref" FROM "delivery" WHERE "version_id" IS NOT NULL ORDER BY "version_id", "id") d
  WHERE d."version_id" = v."id" AND v."seen_ref" IS NULL AND (v."author_email" IS NOT NULL OR v."plan" <> '{}');--> statement-breakpoint
-- Deliveries may be cleared away; the name says which ref it came from.
UPDATE "version" SET "seen_ref" = CASE WHEN "git_tag" = "version" THEN 'refs/tags/' || "git_tag"
    ELSE 'refs/heads/' || regexp_replace("version", '-[0-9a-f]{12}$', '') END
  WHERE "seen_ref" IS NULL AND ("author_email" IS NOT NULL OR "plan" <> '{}');
