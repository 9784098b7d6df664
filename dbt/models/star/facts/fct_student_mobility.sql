{{ all_releases_of('int_student_mobility') }}
