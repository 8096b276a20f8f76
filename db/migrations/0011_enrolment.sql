CREATE TABLE "agent_runtime" (
	"os" text NOT NULL,
	"arch" text NOT NULL,
	"sha256" text NOT NULL,
	"size" bigint NOT NULL,
	"blob_sha256" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT boreas_now() NOT NULL,
	CONSTRAINT "agent_runtime_os_arch_pk" PRIMARY KEY("os","arch")
);
--> statement-breakpoint
ALTER TABLE "enrollment_token" ADD COLUMN "approve_first" boolean DEFAULT false NOT NULL;