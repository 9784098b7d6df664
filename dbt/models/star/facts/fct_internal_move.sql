{{ all_releases_of('int_internal_move') }}
