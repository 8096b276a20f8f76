CREATE TABLE "approval_link" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project_id" uuid NOT NULL,
	"deployment_id" uuid NOT NULL,
	"task_id" uuid,
	"user_id" uuid NOT NULL,
	"plan_hash" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "approval_link_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "measurement" (
	"task_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"value" double precision,
	"verdict" text NOT NULL,
	"note" text DEFAULT '' NOT NULL,
	CONSTRAINT "measurement_task_id_number_pk" PRIMARY KEY("task_id","number"),
	CONSTRAINT "measurement_verdict" CHECK (verdict in ('pass', 'fail', 'no_data', 'error'))
);
--> statement-breakpoint
CREATE TABLE "role" (
	"project_id" uuid NOT NULL,
	"name" text NOT NULL,
	"base" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "role_project_id_name_pk" PRIMARY KEY("project_id","name"),
	CONSTRAINT "role_base" CHECK (base in ('viewer', 'deployer', 'admin'))
);
--> statement-breakpoint
ALTER TABLE "app_user" ADD COLUMN "email" text;--> statement-breakpoint
ALTER TABLE "approval" ADD COLUMN "task_id" uuid;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "author_id" uuid;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "approvals_since" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "version" ADD COLUMN "author_email" text;--> statement-breakpoint
ALTER TABLE "approval_link" ADD CONSTRAINT "approval_link_deployment_id_deployment_id_fk" FOREIGN KEY ("deployment_id") REFERENCES "public"."deployment"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "approval_link" ADD CONSTRAINT "approval_link_user_id_app_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."app_user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "measurement" ADD CONSTRAINT "measurement_task_id_task_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."task"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "role" ADD CONSTRAINT "role_project_id_project_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."project"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "approval_link_by_deployment" ON "approval_link" USING btree ("deployment_id");--> statement-breakpoint
CREATE INDEX "approval_link_by_user" ON "approval_link" USING btree ("user_id");