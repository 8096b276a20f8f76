CREATE TABLE "agent_query" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"agent_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"environment_id" uuid,
	"application_id" uuid,
	"follow" boolean DEFAULT false NOT NULL,
	"session_id" uuid,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"wanted_until" timestamp with time zone NOT NULL,
	"answered_at" timestamp with time zone,
	"ended" text,
	"next_sequence" integer DEFAULT 0 NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "agent_query_kind" CHECK (kind in ('observe', 'tail'))
);
--> statement-breakpoint
CREATE TABLE "agent_query_chunk" (
	"query_id" uuid NOT NULL,
	"sequence" integer NOT NULL,
	"offset" bigint NOT NULL,
	"data" "bytea" NOT NULL,
	CONSTRAINT "agent_query_chunk_query_id_sequence_pk" PRIMARY KEY("query_id","sequence")
);
--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "observed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "observed_version" text;--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "resources" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "differences" jsonb;--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "drift" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "health_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "healing" jsonb;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "reapply" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "agent_query" ADD CONSTRAINT "agent_query_agent_id_agent_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agent"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_query" ADD CONSTRAINT "agent_query_environment_id_environment_id_fk" FOREIGN KEY ("environment_id") REFERENCES "public"."environment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_query" ADD CONSTRAINT "agent_query_application_id_application_id_fk" FOREIGN KEY ("application_id") REFERENCES "public"."application"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agent_query_chunk" ADD CONSTRAINT "agent_query_chunk_query_id_agent_query_id_fk" FOREIGN KEY ("query_id") REFERENCES "public"."agent_query"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "agent_query_by_agent" ON "agent_query" USING btree ("agent_id");