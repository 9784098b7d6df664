{{ dimension_members(ref('specialty'), 'specialty', 'specialty', ['isced_f_broad', 'isced_f_narrow', 'uis_fields']) }}
