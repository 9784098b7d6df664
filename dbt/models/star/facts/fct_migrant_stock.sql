{{ all_releases_of('int_migrant_stock') }}
