{{ dimension_members(ref('sex'), 'sex', 'sex') }}
