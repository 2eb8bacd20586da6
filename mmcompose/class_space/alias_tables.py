"""The shipped alias tables: how data sets spell the classes that they share with COCO.

A table is about names alone. Where a data set has the name for another thing (OpenImages' Mouse is
the animal), a teacher's ``mapping`` has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

AliasTable = Mapping[str, Sequence[str]]

_VOC = {
    'airplane': ['aeroplane'],
    'dining table': ['diningtable', 'dining_table'],
    'motorcycle': ['motorbike'],
    'potted plant': ['pottedplant', 'potted_plant'],
    'couch': ['sofa'],
    'tv': ['tvmonitor'],
}

# `mmdet.evaluation.get_classes('coco')` spells two words with an underscore, MMDet's data sets
# with a space.
_MMDET = {
    name: [name.replace(' ', '_')]
    for name in (
        'traffic light,fire hydrant,stop sign,parking meter,sports ball,baseball bat,'
        'baseball glove,tennis racket,wine glass,hot dog,potted plant,dining table,cell phone,'
        'teddy bear,hair drier'
    ).split(',')
}

# Model zoos of 91-id COCO detectors do not all spell as the annotation files do.
_COCO_91 = {
    'donut': ['doughnut'],
    'hair drier': ['hair dryer'],
    'cell phone': ['mobile phone'],
    'potted plant': ['pottedplant'],
    'dining table': ['diningtable'],
    'tv': ['tvmonitor', 'television'],
    'couch': ['sofa'],
    'airplane': ['aeroplane'],
    'motorcycle': ['motorbike'],
}

_SPELLED_ALIKE = (
    'person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,'
    'stop sign,parking meter,bench,cat,dog,horse,sheep,elephant,bear,zebra,giraffe,backpack,'
    'umbrella,tie,snowboard,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,'
    'bottle,wine glass,fork,knife,spoon,banana,apple,sandwich,broccoli,carrot,hot dog,pizza,cake,'
    'chair,couch,bed,toilet,laptop,oven,toaster,sink,refrigerator,book,clock,vase,scissors,'
    'toothbrush'
).split(',')

_OBJECTS365_TITLE_CASE = (
    'Person,Bicycle,Car,Motorcycle,Airplane,Bus,Train,Truck,Boat,Traffic Light,Fire Hydrant,'
    'Stop Sign,Parking meter,Bench,Cat,Dog,Horse,Sheep,Elephant,Bear,Zebra,Giraffe,Backpack,'
    'Umbrella,Tie,Snowboard,Kite,Baseball Bat,Baseball Glove,Skateboard,Surfboard,Tennis Racket,'
    'Bottle,Wine Glass,Fork,Knife,Spoon,Banana,Apple,Sandwich,Broccoli,Carrot,Hot dog,Pizza,Cake,'
    'Chair,Couch,Bed,Toilet,Laptop,Oven,Toaster,Sink,Refrigerator,Book,Clock,Vase,Scissors,'
    'Toothbrush'
).split(',')

_OBJECTS365 = {
    **{name: [other] for name, other in zip(_SPELLED_ALIKE, _OBJECTS365_TITLE_CASE, strict=True)},
    'bird': ['Wild Bird', 'wild bird'],
    'bowl': ['Bowl/Basin'],
    'cell phone': ['Cell Phone'],
    'cow': ['Cow'],
    'cup': ['Cup'],
    'dining table': ['Dinning Table'],
    'donut': ['Donut'],
    'frisbee': ['Frisbee'],
    'hair drier': ['Hair Dryer'],
    'handbag': ['Handbag/Satchel'],
    'keyboard': ['Keyboard'],
    'microwave': ['Microwave'],
    'mouse': ['Mouse'],
    'orange': ['Orange/Tangerine'],
    'potted plant': ['Potted Plant'],
    'remote': ['Remote'],
    'skis': ['Skiboard'],
    'suitcase': ['Luggage'],
    'tv': ['Moniter/TV'],
}

_OPENIMAGES = {
    **{name: [name.capitalize()] for name in _SPELLED_ALIKE},
    'bird': ['Bird'],
    'bowl': ['Bowl'],
    'cell phone': ['Mobile phone'],
    'cow': ['Cattle'],
    'dining table': ['Kitchen & dining room table'],
    'donut': ['Doughnut'],
    'frisbee': ['Flying disc'],
    'hair drier': ['Hair dryer'],
    'handbag': ['Handbag'],
    'keyboard': ['Computer keyboard'],
    'microwave': ['Microwave oven'],
    'mouse': ['Computer mouse'],
    'orange': ['Orange'],
    'potted plant': ['Houseplant'],
    'remote': ['Remote control'],
    'skis': ['Ski'],
    'sports ball': ['Ball'],
    'suitcase': ['Suitcase'],
    'teddy bear': ['Teddy bear'],
    'tv': ['Television'],
}

_LVIS = {
    'baseball bat': ['baseball_bat'],
    'baseball glove': ['baseball_glove'],
    'bus': ['bus_(vehicle)'],
    'car': ['car_(automobile)'],
    'cell phone': ['cellular_telephone'],
    'couch': ['sofa'],
    'dining table': ['dining_table'],
    'donut': ['doughnut'],
    'fire hydrant': ['fireplug'],
    'hair drier': ['hair_dryer'],
    'keyboard': ['computer_keyboard'],
    'laptop': ['laptop_computer'],
    'microwave': ['microwave_oven'],
    'mouse': ['mouse_(computer_equipment)'],
    'orange': ['orange_(fruit)'],
    'parking meter': ['parking_meter'],
    # So the first release, 0.5, calls people of any age.
    'person': ['baby'],
    'remote': ['remote_control'],
    'skis': ['ski'],
    'stop sign': ['stop_sign'],
    'teddy bear': ['teddy_bear'],
    'tennis racket': ['tennis_racket'],
    'tie': ['necktie'],
    'traffic light': ['traffic_light'],
    'train': ['train_(railroad_vehicle)'],
    'tv': ['television_set'],
    'wine glass': ['wineglass'],
}

# Keys are COCO's spelling, values the other's; direction does not matter.
ALIAS_TABLES: dict[str, AliasTable] = {
    'voc-coco': _VOC,
    'mmdet-coco': _MMDET,
    'coco91-coco': _COCO_91,
    'objects365-coco': _OBJECTS365,
    'openimages-coco': _OPENIMAGES,
    'lvis-coco': _LVIS,
}
