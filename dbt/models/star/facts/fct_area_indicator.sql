{{ all_releases_of('int_area_indicator') }}
