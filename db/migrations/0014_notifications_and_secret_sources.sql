CREATE TABLE "notification" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"settings" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"sealed" "bytea" NOT NULL,
	"language" text NOT NULL,
	"user_id" uuid,
	"rules" jsonb NOT NULL,
	"enabled" boolean NOT NULL,
	"active_since" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "notification_name" UNIQUE("project_id","name"),
	CONSTRAINT "notification_kind" CHECK (kind in ('webhook', 'slack', 'lark', 'dingtalk', 'wecom', 'email')),
	CONSTRAINT "notification_language" CHECK (language in ('en', 'zh'))
);
--> statement-breakpoint
CREATE TABLE "notification_delivery" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"notification_id" uuid NOT NULL,
	"event_id" bigint,
	"event" text NOT NULL,
	"items" jsonb NOT NULL,
	"count" integer DEFAULT 1 NOT NULL,
	"status" text NOT NULL,
	"reason" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"run_after" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "notification_delivery_once" UNIQUE("notification_id","event_id"),
	CONSTRAINT "notification_delivery_status" CHECK (status in ('waiting', 'sending', 'sent', 'failed', 'dropped'))
);
--> statement-breakpoint
ALTER TABLE "app_state" ADD COLUMN "handed_out_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "secret" ADD COLUMN "provider" text DEFAULT 'boreas' NOT NULL;--> statement-breakpoint
ALTER TABLE "secret" ADD COLUMN "reference" text;--> statement-breakpoint
ALTER TABLE "secret" ADD COLUMN "rotated_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "secret" ADD COLUMN "rotated_by" text;--> statement-breakpoint
ALTER TABLE "notification" ADD CONSTRAINT "notification_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notification_delivery" ADD CONSTRAINT "notification_delivery_notification_id_notification_id_fk" FOREIGN KEY ("notification_id") REFERENCES "public"."notification"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "notification_delivery_due" ON "notification_delivery" USING btree ("run_after") WHERE status in ('waiting', 'sending');--> statement-breakpoint
CREATE INDEX "notification_delivery_recent" ON "notification_delivery" USING btree ("notification_id","id");