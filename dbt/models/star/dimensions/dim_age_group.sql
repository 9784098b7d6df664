{{ dimension_members(ref('age_group'), 'age_group', 'age_group', ['age_min', 'age_max', 'has_variable_bounds']) }}
