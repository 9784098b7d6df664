{{ all_releases_of('int_migration_incident') }}
