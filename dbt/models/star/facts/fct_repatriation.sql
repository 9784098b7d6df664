{{ all_releases_of('int_repatriation') }}
