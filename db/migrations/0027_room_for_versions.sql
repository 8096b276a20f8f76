-- Room on each page for the next versions of its rows: a task is rewritten four to five times, a place at every release.
-- Only pages that are written from now on have it; no table is rewritten, and nobody waits.
ALTER TABLE "task" SET (fillfactor = 70);--> statement-breakpoint
ALTER TABLE "app_state" SET (fillfactor = 50);
