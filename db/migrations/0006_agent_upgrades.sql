CREATE TABLE "upgrade" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"version" text NOT NULL,
	"downgrade" boolean DEFAULT false NOT NULL,
	"batch" integer NOT NULL,
	"status" text NOT NULL,
	"reason" jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "upgrade_status" CHECK (status in ('running', 'completed', 'failed', 'cancelled')),
	CONSTRAINT "upgrade_batch" CHECK (batch > 0)
);
--> statement-breakpoint
CREATE TABLE "upgrade_agent" (
	"upgrade_id" uuid NOT NULL,
	"agent_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"state" text NOT NULL,
	"reason" jsonb NOT NULL,
	"from_version" text DEFAULT '' NOT NULL,
	"asked_at" timestamp with time zone,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "upgrade_agent_upgrade_id_agent_id_pk" PRIMARY KEY("upgrade_id","agent_id"),
	CONSTRAINT "upgrade_agent_state" CHECK (state in ('waiting', 'asked', 'succeeded', 'failed', 'skipped', 'cancelled'))
);
--> statement-breakpoint
ALTER TABLE "upgrade" ADD CONSTRAINT "upgrade_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "upgrade_agent" ADD CONSTRAINT "upgrade_agent_upgrade_id_upgrade_id_fk" FOREIGN KEY ("upgrade_id") REFERENCES "public"."upgrade"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "upgrade_agent" ADD CONSTRAINT "upgrade_agent_agent_id_agent_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agent"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "upgrade_recent" ON "upgrade" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "upgrade_running" ON "upgrade" USING btree ("id") WHERE status = 'running';--> statement-breakpoint
CREATE INDEX "upgrade_agent_asked" ON "upgrade_agent" USING btree ("agent_id") WHERE state = 'asked';