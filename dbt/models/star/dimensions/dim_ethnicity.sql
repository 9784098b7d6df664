{{ dimension_members(ref('ethnicity'), 'ethnicity', 'ethnicity') }}
