CREATE INDEX CONCURRENTLY "task_wait" ON "task" USING btree ("run_after") WHERE state = 'pending' and type in ('pause', 'gate');--> statement-breakpoint
CREATE INDEX CONCURRENTLY "task_left_out" ON "task" USING btree ("target_agent_id") WHERE state = 'skipped' and payload ? 'leftOut';--> statement-breakpoint
DROP INDEX CONCURRENTLY "task_timer";
