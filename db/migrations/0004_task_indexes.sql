DROP INDEX CONCURRENTLY "task_lease_end";--> statement-breakpoint
CREATE INDEX CONCURRENTLY "task_cancelling" ON "task" USING btree ("agent_id") WHERE state = 'cancelling';--> statement-breakpoint
CREATE INDEX CONCURRENTLY "task_failed" ON "task" USING btree ("deployment_id") WHERE state = 'failed';
