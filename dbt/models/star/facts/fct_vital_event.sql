{{ all_releases_of('int_vital_event') }}
