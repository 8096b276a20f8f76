#!/bin/sh
# Brings the database to this version.
set -eu
echo "$BOREAS_APP $BOREAS_VERSION in $BOREAS_ENVIRONMENT"
