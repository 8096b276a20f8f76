#!/bin/sh
# Takes the migration back; BOREAS_IS_ROLLBACK is 1 here.
set -eu
echo "$BOREAS_APP $BOREAS_VERSION in $BOREAS_ENVIRONMENT"
